import type { Settings } from "../../config/resolve"
import type { ModelDetails } from "../../domain/model"
import { DEFAULT_HEADROOM_BYTES } from "../../engine/process/timeouts"
import { availableMemory } from "../../engine/residency/available-memory"
import { expectedContext } from "../../engine/residency/cache-memory"
import { q8Saving } from "../../formats/kv-layout"
import { systemMemory } from "../../lib/system/system-memory"
import { formatBytes } from "../terminal/output"

/** How long a conversation with a text model may be on this machine. */
export interface UsableContext {
  /** In tokens. */
  readonly length: number
  /** Why it is shorter than the trained one; absent: it is not. */
  readonly limitedBy?: "memory" | "setting"
  /** The same, for people. */
  readonly explanation?: string
}

/** Undefined for other models. GPUs are not asked: what they allow is shown once the model is loaded. */
export function usableContext(details: ModelDetails, settings: Settings): UsableContext | undefined {
  if (details.kind !== "text" || details.contextLength === 0) return undefined
  const usual = settings.ofModel(details)
  const { memory, headroom } = settings.capacity
  const available = availableMemory(
    { system: systemMemory(), gpus: [] },
    {
      ...(memory !== null && { limitBytes: memory }),
      headroomBytes: headroom ?? DEFAULT_HEADROOM_BYTES,
    },
    [],
  )
  const { contextLength: length, contextLimitedBy } = expectedContext(details, usual, available)
  if (contextLimitedBy === undefined)
    return length < details.contextLength
      ? { length, limitedBy: "setting", explanation: "limited by the setting 'ctx'" }
      : { length }
  const smaller = q8Saving(usual) > 0 ? "; --cache-type-k q8_0 and --cache-type-v q8_0 allow more" : ""
  const memoryThere = `the ${formatBytes(Math.max(0, available.systemBytes))} of system memory that models may use now`
  return { length, limitedBy: contextLimitedBy, explanation: `limited by ${memoryThere}${smaller}` }
}
