const BLOCK_SAMPLES = 1024 * 1024
const FULL_SCALE = 32_767

/**
 * Sound of one channel, which grows as it is decoded. Kept as 16-bit integers: half the memory, and finer than any
 * recogniser hears.
 */
export class Recording {
  readonly sampleRate: number
  readonly #blocks: Int16Array[] = []
  #length = 0

  constructor(sampleRate: number) {
    this.sampleRate = sampleRate
  }

  /** Samples. */
  get length(): number {
    return this.#length
  }

  get seconds(): number {
    return this.#length / this.sampleRate
  }

  /** Louder than full scale is clipped; what is no number is silence. */
  push(samples: Float32Array): void {
    for (const sample of samples) {
      const offset = this.#length % BLOCK_SAMPLES
      if (offset === 0) this.#blocks.push(new Int16Array(BLOCK_SAMPLES))
      const block = this.#blocks[this.#blocks.length - 1]
      // Rounds; an integer array makes 0 of NaN.
      if (block) block[offset] = Math.max(-1, Math.min(1, sample)) * FULL_SCALE + (sample < 0 ? -0.5 : 0.5)
      this.#length++
    }
  }

  /** The samples from `start` to before `end`, from -1 to 1. */
  slice(start: number, end: number): Float32Array {
    const from = Math.max(0, start)
    const samples = new Float32Array(Math.max(0, Math.min(end, this.#length) - from))
    for (let i = 0; i < samples.length; i++) {
      const at = from + i
      samples[i] = (this.#blocks[Math.floor(at / BLOCK_SAMPLES)]?.[at % BLOCK_SAMPLES] ?? 0) / FULL_SCALE
    }
    return samples
  }
}
