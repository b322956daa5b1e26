import type { WindowScores } from "./work"
import { percentile } from "./statistics"

/** How well a model predicts a text, over all its windows so far. */
export interface QualityFigures {
  readonly windows: number
  readonly tokens: number
  readonly perplexity: number
  /** Its standard error. */
  readonly perplexityError: number
  readonly bitsPerByte: number
  readonly divergence?: {
    readonly mean: number
    readonly error: number
    readonly p99: number
    /** The share of tokens for which both models had the same most probable one. */
    readonly sameTop: number
  }
}

/** Adds up the windows of one model. */
export class QualitySums {
  #windows = 0
  #tokens = 0
  #bytes = 0
  #sum = 0
  #squares = 0
  #sameTop = 0
  readonly #divergences: number[] = []

  add({ tokens, bytes, negativeLogProbs, divergences, sameTop = 0 }: WindowScores): void {
    this.#windows++
    this.#tokens += tokens
    this.#bytes += bytes
    this.#sameTop += sameTop
    for (const value of negativeLogProbs) {
      this.#sum += value
      this.#squares += value * value
    }
    if (divergences !== undefined) this.#divergences.push(...divergences)
  }

  /** Undefined before the first window. */
  figures(): QualityFigures | undefined {
    if (this.#tokens === 0) return undefined
    const mean = this.#sum / this.#tokens
    const perplexity = Math.exp(mean)
    return {
      windows: this.#windows,
      tokens: this.#tokens,
      perplexity,
      perplexityError: perplexity * errorOf(this.#squares / this.#tokens - mean * mean, this.#tokens),
      bitsPerByte: this.#sum / Math.LN2 / Math.max(1, this.#bytes),
      ...(this.#divergences.length > 0 && { divergence: this.#divergence() }),
    }
  }

  #divergence() {
    const all = this.#divergences
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length
    const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length
    return {
      mean,
      error: errorOf(variance, all.length),
      p99: percentile(all, 0.99),
      sameTop: this.#sameTop / all.length,
    }
  }
}

/** The standard error of a mean of so many values. */
function errorOf(variance: number, count: number): number {
  return count > 1 ? Math.sqrt(Math.max(0, variance) / (count - 1)) : 0
}
