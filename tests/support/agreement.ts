import { expect } from "bun:test"
import type { TokenLogprob } from "../../src/domain/chat"
import type { Run } from "./real/real-worker"

/**
 * The allowed difference of log probabilities with F32 weights and cache: the shape of a batch changes the order in
 * which products are summed, and so their last digits. Logits here are around 10, where F32 resolves 1e-6.
 */
export const TOLERANCE = 1e-4

/**
 * Expects that both runs computed the same numbers: log probabilities agree within `tolerance`, token by token, and
 * so do the tokens, unless the two best candidates are so close that either may win. `choice`: which one of `actual`.
 */
export function expectAgreement(actual: Run, expected: Run, tolerance = TOLERANCE, choice = 0): void {
  const [ours, theirs] = [actual.logprobs(choice), expected.logprobs()]
  expect(theirs.length).toBeGreaterThan(0)
  for (const [place, reference] of theirs.entries()) {
    const own = ours[place]
    if (own === undefined) throw new Error(`there is no token ${place}`)
    expect(largestDifference(own, reference)).toBeLessThan(tolerance)
    if (own.id === reference.id) continue
    expect(margin(reference)).toBeLessThan(2 * tolerance)
    return
  }
  expect(actual.text(choice)).toBe(expected.text())
}

function largestDifference(a: TokenLogprob, b: TokenLogprob): number {
  const known = new Map(b.top.map(({ id, logprob }) => [id, logprob]))
  const differences = a.top.flatMap(({ id, logprob }) => {
    const other = known.get(id)
    return other === undefined ? [] : [Math.abs(logprob - other)]
  })
  return differences.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...differences)
}

function margin({ top }: TokenLogprob): number {
  const [first, second] = top
  if (first === undefined || second === undefined) throw new Error("two alternatives are needed")
  return first.logprob - second.logprob
}
