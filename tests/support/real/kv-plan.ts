import { existsSync } from "node:fs"
import type { KvPlan, TextModelSettings } from "../../../src/domain/settings"
import { planCache } from "../../../src/engine/residency/estimate"
import { describeGguf } from "../../../src/formats/gguf/metadata"
import { partPaths } from "../../../src/formats/gguf/split"
import { systemMemory } from "../../../src/lib/system/system-memory"
import { readWeights } from "../../../src/store/local/model-file"

/** For files that the worker is to refuse. */
const SMALL: KvPlan = {
  layout: "unified",
  cells: 512,
  sequences: 1,
  slots: 1,
  contextLength: 512,
  mostCells: 512,
  layoutIsFixed: false,
  bytes: 0,
  bytesPerCell: 0,
  bytesPerSequence: 0,
  computeBytes: 0,
  computeBytesPerCell: 2048,
  certainBytes: 0,
}

/** The KV cache that the engine would plan for a worker that is started without one. */
export async function kvPlanOf(path: string, settings: TextModelSettings): Promise<KvPlan> {
  if (!existsSync(path)) return SMALL
  const weights = await readWeights(partPaths(path)).catch(() => undefined)
  if (weights === undefined) return SMALL
  const tensors = weights.flatMap(({ tensors }) => tensors)
  const details = {
    ...describeGguf(weights[0], tensors),
    kind: "text" as const,
    name: "m",
    path,
    id: "1",
    sizeBytes: 0,
    modifiedAt: new Date(0),
    files: [],
  }
  return planCache(details, settings, { freeBytes: systemMemory().availableBytes })
}
