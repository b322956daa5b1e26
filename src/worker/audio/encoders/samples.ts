/** Converts samples from -1 to 1 to 16-bit integers; clips louder ones. */
export function toInt16(samples: Float32Array): Int16Array {
  const integers = new Int16Array(samples.length)
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index] ?? 0
    integers[index] = Math.round(Math.max(-1, Math.min(1, sample)) * 0x7fff)
  }
  return integers
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(numbers: Int16Array | Int32Array | Float32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
}

/** Splits a stream of samples into frames of equal length, for codecs that require it. */
export class Framer {
  readonly #length: number
  #rest = new Float32Array(0)

  constructor(length: number) {
    this.#length = length
  }

  /** The frames completed by `samples`, valid until the next call. */
  *push(samples: Float32Array): Generator<Float32Array, void, undefined> {
    const all = new Float32Array(this.#rest.length + samples.length)
    all.set(this.#rest)
    all.set(samples, this.#rest.length)
    let start = 0
    for (; start + this.#length <= all.length; start += this.#length)
      yield all.subarray(start, start + this.#length)
    this.#rest = all.slice(start)
  }

  /** The last frame, padded with silence; `undefined` if nothing is left. */
  end(): Float32Array | undefined {
    if (this.#rest.length === 0) return undefined
    const frame = new Float32Array(this.#length)
    frame.set(this.#rest)
    this.#rest = new Float32Array(0)
    return frame
  }
}
