import type { KvCache } from "../cache/kv-cache"
import { outputsBeside } from "../scheduler"
import type { Sequence } from "../sequence"

/** How much room a step has. */
export interface DraftRoom {
  readonly promptTokens: number
  /** Rows of logits beyond those of sequences and prompts. */
  readonly outputs: number
  readonly isSplit: boolean
  /** Are right guesses computed again after a wrong one? */
  readonly recomputes: boolean
  /** The cells that a sequence may have. */
  readonly cells: number
}

interface Limits {
  /** Of the step's prompts. */
  readonly promptTokens: number
  /** Rows of logits in all. */
  readonly mostOutputs: number
  readonly contextLength: number
}

/** The room beside the sequences of a step. */
export function draftRoomBeside(
  sequences: readonly Sequence[],
  { layout, cellsPerSequence, traits }: KvCache,
  { promptTokens, mostOutputs, contextLength }: Limits,
): DraftRoom {
  const prompts = sequences.reduce((sum, each) => sum + (each.generating ? 0 : each.remaining), 0)
  const isScored = sequences.some(({ scoresPrompt }) => scoresPrompt)
  return {
    promptTokens: Math.min(prompts, promptTokens),
    // A prompt whose every token is scored takes all outputs that are left.
    outputs: isScored ? 0 : outputsBeside(sequences, mostOutputs),
    isSplit: layout === "split",
    recomputes: !traits.trims,
    cells: Math.min(cellsPerSequence, contextLength),
  }
}
