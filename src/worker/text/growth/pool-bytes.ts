import type { KvPlan } from "../../../domain/settings"
import { NotEnoughMemory } from "../../../errors/engine"
import { cellsPerSequence } from "../../../formats/kv-layout"
import type { PoolShape } from "../cache/growth"

type Sizes = Pick<KvPlan, "bytesPerCell" | "bytesPerSequence" | "computeBytes" | "computeBytesPerCell">

/** Bytes of a context with such a pool: its cells, and its buffers for computing. */
export function poolBytes(
  { bytesPerCell, bytesPerSequence, computeBytes, computeBytesPerCell }: Sizes,
  shape: PoolShape,
): number {
  return (
    shape.cells * bytesPerCell +
    shape.sequences * bytesPerSequence +
    cellsPerSequence(shape) * computeBytesPerCell +
    computeBytes
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
