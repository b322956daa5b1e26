const BLOCK_SAMPLES = 1024 * 1024
const FULL_SCALE = 32_767

/**
 * Mono audio that grows during decoding. Stored as 16-bit integers: half the memory, with more precision than
 * ASR models need.
 */
export class Recording {
  readonly sampleRate: number
  readonly #blocks: Int16Array[] = []
  #length = 0

  constructor(sampleRate: number) {
    this.sampleRate = sampleRate
  }

  /** In samples. */
  get length(): number {
    return this.#length
  }

  get seconds(): number {
    return this.#length / this.sampleRate
  }

  /** Appends samples. Values beyond full scale are clipped; NaN becomes silence. */
  push(samples: Float32Array): void {
    for (const sample of samples) {
      const offset = this.#length % BLOCK_SAMPLES
      if (offset === 0) this.#blocks.push(new Int16Array(BLOCK_SAMPLES))
      const block = this.#blocks[this.#blocks.length - 1]
      // Rounds; an integer array converts NaN to 0.
      if (block) block[offset] = Math.max(-1, Math.min(1, sample)) * FULL_SCALE + (sample < 0 ? -0.5 : 0.5)
      this.#length++
    }
  }

  /** The samples from `start` to `end` (exclusive), from -1 to 1. */
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
