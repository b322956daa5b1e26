import type { Batch } from "../../llama/batch"
import type { ScheduledTokens } from "./scheduler"
import type { Sequence } from "./sequence"

/** A token of the batch whose logits are wanted. */
export interface LogitsRow {
  readonly sequence: Sequence
  /** The token's place in its sequence. */
  readonly position: number
  /** The token's place in the batch. */
  readonly index: number
}

/**
 * Fills the batch with what is to be computed, in the order of sequence ids: llama.cpp computes sequences together
 * only where their ids follow each other.
 */
export function fillBatch(batch: Batch, work: readonly ScheduledTokens<Sequence>[]): LogitsRow[] {
  const outputs: LogitsRow[] = []
  batch.clear()
  for (const { sequence, tokens } of inSlotOrder(work)) {
    const slot = sequence.slot
    if (slot === undefined) continue
    for (let position = slot.length; position < slot.length + tokens; position++) {
      const wanted = sequence.wantsLogits(position)
      const index = batch.add(sequence.tokens[position] ?? 0, position, slot.id, wanted)
      if (wanted) outputs.push({ sequence, position, index })
    }
  }
  return outputs
}

function inSlotOrder(work: readonly ScheduledTokens<Sequence>[]): ScheduledTokens<Sequence>[] {
  return [...work].sort((a, b) => (a.sequence.slot?.id ?? 0) - (b.sequence.slot?.id ?? 0))
}
