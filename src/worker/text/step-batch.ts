import type { Batch } from "../../llama/batch"
import { positionOf } from "./prompt/cells"
import type { Work } from "./scheduler"
import type { Sequence } from "./sequence"

/** A token of the batch that has logits. */
export interface LogitsRow {
  readonly sequence: Sequence
  /** Index of the token in its sequence, which is not its position where media precede it. */
  readonly cell: number
  /** Index of the token in the batch. */
  readonly index: number
}

/**
 * Fills the batch in order of sequence ids: llama.cpp computes sequences together only if their ids are
 * consecutive.
 */
export function fillBatch(batch: Batch, work: readonly Work<Sequence>[]): LogitsRow[] {
  const rows: LogitsRow[] = []
  batch.clear()
  for (const { sequence, tokens, outputs } of inSlotOrder(work)) {
    const slot = sequence.slot
    if (slot === undefined) continue
    const end = slot.length + tokens
    // The positions of tokens without media between them are consecutive.
    const offset = positionOf(sequence.media, slot.length) - slot.length
    for (let cell = slot.length; cell < end; cell++) {
      const wanted = cell >= end - outputs
      const token = sequence.tokens[cell] ?? sequence.draft[cell - sequence.tokens.length] ?? 0
      const index = batch.add(token, cell + offset, slot.id, wanted)
      if (wanted) rows.push({ sequence, cell, index })
    }
  }
  return rows
}

function inSlotOrder(work: readonly Work<Sequence>[]): Work<Sequence>[] {
  return [...work].sort((a, b) => (a.sequence.slot?.id ?? 0) - (b.sequence.slot?.id ?? 0))
}
