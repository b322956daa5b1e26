/** Half the width of the filter, in samples of the slower of both rates. */
const HALF_WIDTH = 16

/** Of the Nyquist frequency: what is above it is damped away. */
const PASS = 0.95

/** A stream of samples at another rate: a sinc filter under a Hann window. */
export class SincResampler {
  readonly #step: number
  readonly #cutoff: number
  readonly #reach: number
  #held = new Float32Array(0)
  /** Of the first held sample, in samples of the source. */
  #heldFrom = 0
  /** Of the next sample to write, in samples of the source. */
  #at = 0

  constructor(from: number, to: number) {
    this.#step = from / to
    this.#cutoff = Math.min(1, to / from) * PASS
    this.#reach = Math.ceil(HALF_WIDTH * Math.max(1, from / to))
  }

  push(samples: Float32Array): Float32Array {
    this.#hold(samples)
    return this.#write(this.#heldFrom + this.#held.length - this.#reach)
  }

  /** The rest, as if silence followed. */
  end(): Float32Array {
    const end = this.#heldFrom + this.#held.length
    return this.#write(end)
  }

  #hold(samples: Float32Array): void {
    // Samples that the filter does not reach any more are dropped.
    const needed = Math.max(
      0,
      Math.min(this.#held.length, Math.floor(this.#at) - this.#reach - this.#heldFrom),
    )
    const held = new Float32Array(this.#held.length - needed + samples.length)
    held.set(this.#held.subarray(needed))
    held.set(samples, this.#held.length - needed)
    this.#held = held
    this.#heldFrom += needed
  }

  /** All samples before `end`. */
  #write(end: number): Float32Array {
    const written = new Float32Array(Math.max(0, Math.ceil((end - this.#at) / this.#step)))
    for (let index = 0; index < written.length; index++) {
      written[index] = this.#sample()
      this.#at += this.#step
    }
    return written
  }

  #sample(): number {
    const first = Math.max(this.#heldFrom, Math.ceil(this.#at - this.#reach))
    const last = Math.min(this.#heldFrom + this.#held.length - 1, Math.floor(this.#at + this.#reach))
    let sum = 0
    for (let at = first; at <= last; at++)
      sum += (this.#held[at - this.#heldFrom] ?? 0) * this.#weight(at - this.#at)
    return sum
  }

  #weight(distance: number): number {
    const x = Math.PI * distance * this.#cutoff
    const sinc = x === 0 ? 1 : Math.sin(x) / x
    return this.#cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / this.#reach))
  }
}
