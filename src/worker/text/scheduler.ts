/** A sequence that has a slot, as the scheduler sees it. */
export interface Runnable {
  /** Tokens that are not cached yet; 1 for a sequence that generates. */
  readonly remaining: number
  /** Its prompt is done: it is owed a token every step. */
  readonly generating: boolean
  /** Steps since it got its slot. */
  readonly waitedSteps: number
  /** The most tokens that it can take in one step; lower where every token's logits are wanted. */
  readonly mostPerStep: number
}

export interface Work<T> {
  readonly sequence: T
  readonly tokens: number
}

/** What one decode computes. */
export interface StepPlan<T> {
  readonly work: readonly Work<T>[]
  /** How many of the sequences generate. */
  readonly streams: number
  /** Prompt tokens among the work. */
  readonly promptTokens: number
}

/** A prompt that waits gains on shorter ones by this many tokens a step, so that none starves. */
const AGEING_TOKENS = 64

/**
 * Every generating sequence gets its token. What is left of the budget goes to prompts, one after another: the one
 * that is done soonest first, so that first tokens leave as early as they can.
 */
export function planStep<T extends Runnable>(sequences: readonly T[], budget: number): StepPlan<T> {
  const work: Work<T>[] = []
  for (const sequence of sequences) if (sequence.generating) work.push({ sequence, tokens: 1 })
  const streams = work.length
  let left = budget
  for (const sequence of inOrderOfPrefill(sequences)) {
    if (left <= 0) break
    const tokens = Math.min(left, sequence.remaining, sequence.mostPerStep)
    work.push({ sequence, tokens })
    left -= tokens
  }
  return { work, streams, promptTokens: budget - left }
}

function inOrderOfPrefill<T extends Runnable>(sequences: readonly T[]): T[] {
  const rank = (sequence: T): number => sequence.remaining - AGEING_TOKENS * sequence.waitedSteps
  return sequences.filter((sequence) => !sequence.generating).sort((a, b) => rank(a) - rank(b))
}
