import type { TokenAlternative, TokenLogprob } from "../../../domain/chat"
import { NotNumbers } from "../../../errors/engine"
import type { ShownChoice } from "../../../llama/candidate-list"

/** The logits of one position, read before samplers change them. */
export class LogprobReader {
  readonly #logits: Float32Array
  readonly #logSum: number

  private constructor(logits: Float32Array) {
    this.#logits = logits
    this.#logSum = logSumExp(logits)
    if (!Number.isFinite(this.#logSum)) throw new NotNumbers()
  }

  /** Copies `logits` (the full vocabulary), because samplers change them in place. @throws NotNumbers */
  static of(logits: Float32Array): LogprobReader {
    return new LogprobReader(logits.slice())
  }

  /** Without a copy, for logits that are not changed before they are read. @throws NotNumbers */
  static ofUnchanged(logits: Float32Array): LogprobReader {
    return new LogprobReader(logits)
  }

  /** The log probability of `token`, and of the `count` most probable tokens, most probable first. */
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

/**
 * The log probability of a sampled token among those that the samplers left, and the `count` most probable of them,
 * most probable first. `choice`: undefined if nothing else could come.
 */
export function logprobOfChoice(
  token: number,
  choice: ShownChoice | undefined,
  count: number,
  bytes: (token: number) => Uint8Array,
): TokenLogprob {
  if (choice === undefined) {
    const only = { id: token, bytes: Array.from(bytes(token)), logprob: 0 }
    return { ...only, top: count > 0 ? [only] : [] }
  }
  const { tokens, logits } = choice
  const logSum = logSumExp(logits)
  const alternative = (place: number): TokenAlternative => {
    const id = tokens[place] as number // a place below the length
    return { id, bytes: Array.from(bytes(id)), logprob: (logits[place] as number) - logSum }
  }
  const top = largest(logits, count).filter((place) => (logits[place] as number) > Number.NEGATIVE_INFINITY)
  return { ...alternative(tokens.indexOf(token)), top: top.map(alternative) }
}

/** Index loops: an iterator over a typed array takes ten times as long, and this runs for every token. */
function logSumExp(logits: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number // an id below the length
    if (logit > highest) highest = logit
  }
  let sum = 0
  for (let id = 0; id < logits.length; id++) sum += Math.exp((logits[id] as number) - highest)
  return highest + Math.log(sum)
}

/** Indices of the `count` largest values, largest first; ties in index order. */
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
