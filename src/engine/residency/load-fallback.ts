import type { TextModelSettings } from "../../domain/settings"
import type { XllmError } from "../../errors/base"
import { WorkerCrashed } from "../../errors/engine"

/** A context that was chosen automatically does not shrink below this many tokens. */
const LEAST_CONTEXT = 512

/** A load that failed. */
export interface FailedLoad {
  readonly error: XllmError
  /** What it was tried with. */
  readonly settings: TextModelSettings
  /** What the user set; only what is `null` here may shrink, apart from layers on GPUs. */
  readonly wanted: TextModelSettings
  /** The longest conversation it was tried with. */
  readonly contextLength: number
}

/** What to try after it. */
export interface NextLoad {
  readonly settings: TextModelSettings
  readonly contextLength: number
  /** What is different now, for people. */
  readonly note: string
}

/**
 * After a load that failed for want of memory: half of the layers on GPUs, down to none; then half of a context that
 * nobody asked for. Undefined where nothing is left to try, or the load failed for another reason.
 */
export function nextLoad(failed: FailedLoad): NextLoad | undefined {
  const { settings, wanted, contextLength } = failed
  // A worker that refuses a plan of the KV cache for want of system memory would with fewer layers on GPUs all the more.
  const refusesCache = failed.error.code === "not_enough_memory"
  if (refusesCache && wanted.kvCells !== null) return undefined
  const layers = refusesCache ? 0 : (settings.gpuLayers ?? 0)
  if (layers > 0 && (isOutOfMemory(failed.error) || isCrash(failed.error))) {
    const gpuLayers = isCrash(failed.error) ? 0 : Math.floor(layers / 2)
    const why = isCrash(failed.error) ? "the load with them crashed" : "their memory did not suffice"
    // Without layers on GPUs their backends are not loaded, and no device has a name.
    const placed = gpuLayers === 0 ? { devices: null, tensorSplit: null } : {}
    return {
      settings: { ...settings, gpuLayers, ...placed },
      contextLength,
      note: `${gpuLayers} instead of ${layers} layers are on GPUs, for ${why}`,
    }
  }
  const shorter = Math.floor(contextLength / 2)
  if (!isOutOfMemory(failed.error) || wanted.contextLength !== null || shorter < LEAST_CONTEXT)
    return undefined
  return {
    settings: { ...settings, contextLength: shorter, kvCells: wanted.kvCells, kvLayout: wanted.kvLayout },
    contextLength: shorter,
    note: `the context was shortened to ${shorter} tokens, for the memory did not suffice`,
  }
}

function isOutOfMemory({ details }: XllmError): boolean {
  return details?.["outOfMemory"] === true
}

/** GPU drivers end the process where memory runs out, more often than they report it. */
function isCrash({ cause }: XllmError): boolean {
  return cause instanceof WorkerCrashed
}
