import type { ModelSettings, TextModelSettings } from "../../domain/settings"
import type { MemoryLimits } from "../contract"
import { toLoadSettings } from "../model-kinds"
import type { Fit } from "../residency/eviction"
import type { Offload } from "../residency/memory-reader"
import type { LoadPlan } from "./load-plan"

export interface WorkerSettingsInput {
  readonly settings: ModelSettings
  readonly fit: Fit
  readonly limits: MemoryLimits
  readonly offload: Offload
}

/**
 * Turns a placement into what a worker loads. Simulated GPUs get no layers, since they could not run them; the plan
 * shows what real ones would get. Where a limit is set, the size of the KV cache is passed along, because the
 * worker sees only the machine's free memory.
 */
export function toLoadPlan({
  settings,
  fit,
  limits,
  offload,
}: WorkerSettingsInput): Omit<LoadPlan, "wanted"> {
  const { need, placement } = fit
  const { transientBytes } = need
  const onGpu = placement.gpuLayers > 0
  const isLimited = limits.limitBytes !== undefined || limits.gpuLimitBytes !== undefined
  return {
    settings: {
      ...toLoadSettings(settings),
      ...offloadSettings(fit, offload),
      ...(isLimited && { kvLayout: need.kvLayout, kvCells: need.kvCells }),
    },
    contextLength: need.contextLength,
    plan: placement.plan,
    working: {
      ramBytes: onGpu ? 0 : transientBytes,
      devices: onGpu ? placement.footprint.devices.map(({ name }) => ({ name, bytes: transientBytes })) : [],
    },
    ...(offload === "simulated" && { simulatedDevices: placement.footprint.devices }),
  }
}

function offloadSettings(
  { placement }: Fit,
  offload: Offload,
): Partial<Pick<TextModelSettings, "gpuLayers" | "devices" | "tensorSplit">> {
  const { gpuLayers, devices, tensorSplit } = placement
  switch (offload) {
    case "real":
      return { gpuLayers, devices, tensorSplit }
    case "simulated":
    case "unknown":
      return { gpuLayers: 0, devices: null, tensorSplit: null }
    case "none":
      // The worker finds none either, and reports why.
      return {}
    default:
      return offload satisfies never
  }
}
