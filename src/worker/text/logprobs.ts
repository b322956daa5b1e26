import type { TokenAlternative, TokenLogprob } from "../../domain"

/** The logits of one place, read before any sampler changed them. */
export class LogprobReader {
  readonly #logits: Float32Array
  readonly #logSum: number

  /** `logits` of the full vocabulary; they are copied, for samplers change them in place. */
  constructor(logits: Float32Array) {
    this.#logits = logits.slice()
    this.#logSum = logSumExp(this.#logits)
  }

  /** The log probability of `token`, and of the `count` most probable tokens, best first. */
  read(token: number, count: number, bytes: (token: number) => Uint8Array): TokenLogprob {
    const alternative = (id: number): TokenAlternative => ({
      id,
      bytes: Array.from(bytes(id)),
      logprob: this.#logprob(id),
    })
    return { ...alternative(token), top: largest(this.#logits, count).map(alternative) }
  }

  #logprob(token: number): number {
    return (this.#logits[token] ?? Number.NEGATIVE_INFINITY) - this.#logSum
  }
}

function logSumExp(logits: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY
  for (const logit of logits) if (logit > highest) highest = logit
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - highest)
  return highest + Math.log(sum)
}

/** Indices of the `count` largest values, largest first; ties in order of the index. */
function largest(values: Float32Array, count: number): number[] {
  const best: number[] = []
  if (count === 0) return best
  let lowest = Number.NEGATIVE_INFINITY
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NEGATIVE_INFINITY
    if (best.length === count && value <= lowest) continue
    let at = best.length
    while (at > 0 && (values[best[at - 1] ?? 0] ?? 0) < value) at--
    best.splice(at, 0, index)
    if (best.length > count) best.pop()
    lowest = values[best[best.length - 1] ?? 0] ?? Number.NEGATIVE_INFINITY
  }
  return best
}
