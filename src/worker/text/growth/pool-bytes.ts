import type { KvPlan } from "../../../domain/settings"
import { NotEnoughMemory } from "../../../errors/engine"
import { MASK_BYTES_PER_CELL } from "../../../formats/kv-layout"
import { cellsPerSequence, type PoolShape } from "../cache/growth"

/** Bytes of a context with such a pool: its cells, and the buffers for computing that grow with them. */
export function poolBytes(
  { bytesPerCell, bytesPerSequence }: Pick<KvPlan, "bytesPerCell" | "bytesPerSequence">,
  shape: PoolShape,
): number {
  return (
    shape.cells * bytesPerCell +
    shape.sequences * bytesPerSequence +
    cellsPerSequence(shape) * MASK_BYTES_PER_CELL
  )
}

/** The error of a conversation that the pool cannot grow for. `cells`: what one conversation may have now. */
export function conversationTooLarge(
  model: string,
  plan: KvPlan,
  tokens: number,
  cells: number,
): NotEnoughMemory {
  const bytesOf = (wanted: number): number =>
    poolBytes(plan, { layout: "unified", cells: wanted, sequences: 1 })
  return new NotEnoughMemory(
    model,
    `memory for a conversation of ${tokens} tokens`,
    bytesOf(tokens),
    bytesOf(cells),
    "shorten it, unload other models, raise the memory limit, or halve the need with --cache-type-k q8_0 and --cache-type-v q8_0",
  )
}
