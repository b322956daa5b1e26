/** A sequence that has a slot, as the scheduler sees it. */
export interface Runnable {
  /** Tokens that are not cached yet; 1 for a sequence that generates. */
  readonly remaining: number
  /** Its prompt is done: it is owed a token every step. */
  readonly generating: boolean
  /** Steps since it got its slot. */
  readonly waitedSteps: number
  /** The logits of all its tokens are wanted, not only those of the last one. */
  readonly wantsPromptLogprobs: boolean
}

export interface ScheduledTokens<T> {
  readonly sequence: T
  readonly tokens: number
}

/** What one decode computes. */
export interface StepPlan<T> {
  readonly work: readonly ScheduledTokens<T>[]
  /** How many of the sequences generate. */
  readonly decodeCount: number
  /** Prompt tokens among the work. */
  readonly promptTokens: number
}

/** A prompt that waits gains on shorter ones by this many tokens a step, so that none starves. */
const AGEING_TOKENS = 64

/** A prompt that would be done with this part of the budget more is finished: its rest would cost a step of its own. */
export const OVERDRAFT = 1 / 8

/**
 * Every generating sequence gets its token. What is left of the budget goes to prompts, one after another: the one
 * that is done soonest first, so that first tokens leave as early as they can. `budget`: prompt tokens; the last prompt may overdraw it a little.
 * `mostOutputs`: tokens whose logits may be wanted, at least one for each sequence; llama.cpp ends the process where
 * there are more.
 */
export function planStep<T extends Runnable>(
  sequences: readonly T[],
  budget: number,
  mostOutputs: number,
): StepPlan<T> {
  const work: ScheduledTokens<T>[] = []
  for (const sequence of sequences) if (sequence.generating) work.push({ sequence, tokens: 1 })
  const streams = work.length
  let left = budget
  let outputs = mostOutputs - sequences.filter(({ wantsPromptLogprobs }) => !wantsPromptLogprobs).length
  for (const sequence of inOrderOfPrefill(sequences)) {
    if (left <= 0) break
    const wanted = sequence.remaining <= left + budget * OVERDRAFT ? sequence.remaining : left
    const tokens = Math.min(wanted, sequence.wantsPromptLogprobs ? outputs : wanted)
    if (tokens === 0) continue
    work.push({ sequence, tokens })
    left -= tokens
    if (sequence.wantsPromptLogprobs) outputs -= tokens
  }
  return { work, decodeCount: streams, promptTokens: budget - left }
}

function inOrderOfPrefill<T extends Runnable>(sequences: readonly T[]): T[] {
  const rank = (sequence: T): number => sequence.remaining - AGEING_TOKENS * sequence.waitedSteps
  return sequences.filter((sequence) => !sequence.generating).sort((a, b) => rank(a) - rank(b))
}
