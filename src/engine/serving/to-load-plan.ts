import type { ModelSettings, TextModelSettings } from "../../domain/settings"
import { toLoadSettings } from "../model-kinds"
import type { Fit } from "../residency/eviction"
import type { Offload } from "../residency/memory-reader"
import type { LoadPlan } from "./load-plan"

export interface WorkerSettingsInput {
  readonly settings: ModelSettings
  readonly fit: Fit
  readonly offload: Offload
}

/**
 * What a worker is told to load for a plan. GPUs that are simulated get no layers, for they could not run them; the
 * plan shows what real ones would get.
 */
export function toLoadPlan({ settings, fit, offload }: WorkerSettingsInput): LoadPlan {
  const { details, memory, need, placement } = fit
  const { transientBytes } = need
  const onGpu = placement.gpuLayers > 0
  const wanted = toLoadSettings(settings)
  return {
    wanted,
    settings: { ...wanted, ...offloadSettings(fit, offload) },
    kv: need.kv,
    details,
    memory,
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
