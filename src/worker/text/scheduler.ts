/** The scheduler's view of a sequence that has a slot. */
export interface Runnable {
  /** Tokens not yet cached; 1 for a generating sequence. */
  readonly remaining: number
  /** At most this many of them may be computed in one step; absent: all. */
  readonly mostTokens?: number
  /** The prompt is complete, so it gets a token every step. */
  readonly generating: boolean
  /** Guessed tokens that are checked together with its next one; absent: none. */
  readonly draft?: ArrayLike<number>
  /** Steps since it was given its slot. */
  readonly waitedSteps: number
  /** Wants logits for all its tokens, not only for the last. */
  readonly scoresPrompt: boolean
}

/** A sequence's share of a step: its next `tokens`, the last `outputs` of them with logits. */
export interface Work<T> {
  readonly sequence: T
  readonly tokens: number
  readonly outputs: number
}

/** The work of one decode. */
export interface StepPlan<T> {
  readonly work: readonly Work<T>[]
  /** Number of generating sequences. */
  readonly decodeCount: number
  /** Number of guessed tokens in `work`. */
  readonly draftTokens: number
  /** Number of prompt tokens in `work`. */
  readonly promptTokens: number
}

/** A waiting prompt is ranked as if it were shorter by this many tokens per step, so that none starves. */
const AGEING_TOKENS = 64

/**
 * A prompt that exceeds the budget by at most this share is finished: its rest would cost a step of its own.
 */
export const OVERDRAFT = 1 / 8

/**
 * Gives every generating sequence its token and those of its draft, and the rest of the budget to prompts one after another,
 * shortest remaining first, so that first tokens come as early as possible.
 * `budget`: prompt tokens; the last prompt may exceed it slightly.
 * `mostOutputs`: maximum tokens with logits, at least one per sequence; llama.cpp aborts the process beyond
 * it.
 */
export function planStep<T extends Runnable>(
  sequences: readonly T[],
  budget: number,
  mostOutputs: number,
): StepPlan<T> {
  const work: Work<T>[] = []
  let draftTokens = 0
  for (const sequence of sequences) {
    if (!sequence.generating) continue
    const tokens = 1 + (sequence.draft?.length ?? 0)
    work.push({ sequence, tokens, outputs: tokens })
    draftTokens += tokens - 1
  }
  const streams = work.length
  let left = budget
  let outputs = outputsBeside(sequences, mostOutputs) - draftTokens
  for (const sequence of inOrderOfPrefill(sequences)) {
    if (left <= 0) break
    const { remaining, mostTokens = remaining } = sequence
    const wanted = Math.min(remaining <= left + budget * OVERDRAFT ? remaining : left, mostTokens)
    const isScored = sequence.scoresPrompt
    const tokens = Math.min(wanted, isScored ? outputs : wanted)
    if (tokens === 0) continue
    const isLast = tokens === sequence.remaining
    work.push({ sequence, tokens, outputs: isScored ? tokens : isLast ? 1 : 0 })
    left -= tokens
    if (isScored) outputs -= tokens
  }
  return { work, decodeCount: streams, draftTokens, promptTokens: budget - left }
}

/** The outputs of a step beyond one for each sequence. */
export function outputsBeside(sequences: readonly Runnable[], mostOutputs: number): number {
  return mostOutputs - sequences.filter(({ scoresPrompt }) => !scoresPrompt).length
}

function inOrderOfPrefill<T extends Runnable>(sequences: readonly T[]): T[] {
  const rank = (sequence: T): number => sequence.remaining - AGEING_TOKENS * sequence.waitedSteps
  return sequences.filter((sequence) => !sequence.generating).sort((a, b) => rank(a) - rank(b))
}
