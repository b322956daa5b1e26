import type { Batch } from "../../llama/batch"
import type { ScheduledTokens } from "./scheduler"
import type { Sequence } from "./sequence"

/** A token of the batch that has logits. */
export interface LogitsRow {
  readonly sequence: Sequence
  /** Index of the token in its sequence. */
  readonly position: number
  /** Index of the token in the batch. */
  readonly index: number
}

/**
 * Fills the batch in order of sequence ids: llama.cpp computes sequences together only if their ids are
 * consecutive.
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
