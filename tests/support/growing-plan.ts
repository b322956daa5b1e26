import type { KvPlan } from "../../src/domain/settings"

/** The plan of a pool that starts small and may grow to what `options` leave open. */
export function growingPlan(options: Partial<KvPlan> = {}): KvPlan {
  const { slots = 16, contextLength = 4096, layout = "split" } = options
  const sequences = options.sequences ?? slots
  const bytesPerCell = 512
  const cells = options.cells ?? 256 * sequences
  return {
    layout,
    cells,
    sequences,
    slots,
    contextLength,
    mostCells: Math.ceil(contextLength / 256) * 256 * slots,
    layoutIsFixed: false,
    bytes: cells * bytesPerCell,
    bytesPerCell,
    bytesPerSequence: 0,
    computeBytes: 1000,
    computeBytesPerCell: 2048,
    certainBytes: 0,
    ...options,
  }
}
