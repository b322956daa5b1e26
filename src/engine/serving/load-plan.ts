import type { LayerPlan, MemoryFootprint } from "../../domain/device"
import type { LoadedModelInfo } from "../../domain/loaded-model"
import type { ModelDetails } from "../../domain/model"
import type { KvPlan, ModelSettings, TextModelSettings } from "../../domain/settings"
import type { XllmError } from "../../errors/base"
import { toLoadSettings } from "../model-kinds"
import { planCache } from "../residency/estimate"
import { type CacheMemory, spaceOnGpus } from "../residency/cache-memory"
import type { Fit } from "../residency/eviction"
import { nextLoad } from "../residency/load-fallback"
import type { Offload } from "../residency/memory-reader"

/** What a replica loads. */
export interface LoadPlan {
  /** The user's settings. */
  readonly wanted: TextModelSettings
  /** The settings of this attempt. */
  readonly settings: TextModelSettings
  /** `null`: its engine has no KV cache. */
  readonly kv: KvPlan | null
  /** What that was planned from, for the case that it must be planned anew. */
  readonly details: ModelDetails
  readonly memory: CacheMemory
  readonly plan: LayerPlan
  /** Memory it takes while it works, beyond what the worker measures after the load. */
  readonly working: MemoryFootprint
  /** Replaces the worker's own GPU measurements where the plan's GPUs are simulated. */
  readonly simulatedDevices?: MemoryFootprint["devices"]
}

interface LoadPlanInput {
  readonly settings: ModelSettings
  readonly fit: Fit
  readonly offload: Offload
}

/**
 * What a worker loads for a plan. GPUs that are simulated get no layers, for they could not run them; the
 * plan shows what real ones would get.
 */
export function toLoadPlan({ settings, fit, offload }: LoadPlanInput): LoadPlan {
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

/** What a user should know of it; undefined: nothing. */
export function noteOn({ kv, details, wanted }: LoadPlan): string | undefined {
  if (details.kind !== "text" || kv === null) return undefined
  const { contextLength } = kv
  if (kv.contextLimitedBy === undefined) {
    const isStretched = [wanted.ropeScaling, wanted.ropeFreqBase, wanted.ropeFreqScale].some(
      (one) => one !== null,
    )
    if (isStretched || details.contextLength === 0 || contextLength <= details.contextLength) return undefined
    return (
      `the context of ${contextLength} tokens is longer than the ${details.contextLength} that the model was trained for, ` +
      "beyond which answers get worse: --rope-scaling yarn and --rope-freq-scale stretch it"
    )
  }
  return (
    `memory limits the context to ${contextLength} of ${details.contextLength} tokens; ` +
    "a smaller type of KV cache (--cache-type-k q8_0 and --cache-type-v q8_0) or more memory allows more"
  )
}

/** The next attempt after a failed load, and how it is reduced; undefined where nothing is left to try. */
export function afterFailure(
  load: LoadPlan,
  error: XllmError,
): { readonly load: LoadPlan; readonly note: string } | undefined {
  const { wanted, settings, kv, plan, working } = load
  const next = nextLoad({ error, wanted, settings, contextLength: firstContext(kv) })
  if (next === undefined) return undefined
  const hasFewerLayers = next.settings.gpuLayers !== settings.gpuLayers
  return {
    load: {
      ...load,
      settings: next.settings,
      kv: replanned(load, next.settings),
      plan: hasFewerLayers ? reduced(plan, next.settings, next.note) : plan,
      working: next.settings.gpuLayers === 0 ? inSystemMemory(working) : working,
    },
    note: next.note,
  }
}

function replanned({ details, memory }: LoadPlan, settings: TextModelSettings): KvPlan | null {
  if (details.kind !== "text") return null
  const onGpus = memory.gpuBytes > 0 && settings.gpuLayers !== 0
  return planCache(details, settings, onGpus ? spaceOnGpus(memory) : { freeBytes: memory.systemBytes })
}

/** What of the context length is allocated by the load. */
function firstContext(kv: KvPlan | null): number {
  return kv === null ? 0 : Math.min(kv.contextLength, kv.cells)
}

/**
 * What a replica holds that has loaded: what the worker measured, and what it takes while it works. `measured`: a
 * later measurement; memory that was taken since the load is part of what the work takes.
 */
export function footprintOf(
  load: LoadPlan,
  { footprint, devices }: LoadedModelInfo,
  measured = footprint,
): MemoryFootprint {
  const { simulatedDevices } = load
  // Some workers carry on without the GPU that they were meant to use.
  const isThere = load.working.devices.every(({ name }) => devices.includes(name))
  const working = isThere || simulatedDevices !== undefined ? load.working : inSystemMemory(load.working)
  return {
    ramBytes: whileWorking(footprint.ramBytes, working.ramBytes, measured.ramBytes),
    devices: simulatedDevices ?? devicesWhileWorking(footprint.devices, working.devices, measured.devices),
  }
}

/** A growth since the load uses up what was planned for work; a release of memory does not add to it. */
function whileWorking(loaded: number, working: number, measured: number): number {
  return measured + Math.max(0, working - Math.max(0, measured - loaded))
}

type DeviceBytes = MemoryFootprint["devices"]

function devicesWhileWorking(loaded: DeviceBytes, working: DeviceBytes, measured: DeviceBytes): DeviceBytes {
  const names = new Set([...measured, ...working].map(({ name }) => name))
  return [...names].map((name) => ({
    name,
    bytes: whileWorking(bytesOf(loaded, name), bytesOf(working, name), bytesOf(measured, name)),
  }))
}

function bytesOf(devices: DeviceBytes, wanted: string): number {
  return devices.reduce((sum, { name, bytes }) => (name === wanted ? sum + bytes : sum), 0)
}

/** The same bytes, all in system memory. */
function inSystemMemory({ ramBytes, devices }: MemoryFootprint): MemoryFootprint {
  return { ramBytes: devices.reduce((sum, { bytes }) => sum + bytes, ramBytes), devices: [] }
}

/** The plan after layers were taken off the GPUs: in the same proportions, as far as whole layers allow. */
function reduced(plan: LayerPlan, { gpuLayers }: TextModelSettings, note: string): LayerPlan {
  const total = plan.devices.reduce((sum, { layers }) => sum + layers, 0)
  const left = gpuLayers ?? 0
  const gpus = plan.devices.filter(({ name }) => name !== "CPU")
  const before = gpus.reduce((sum, { layers }) => sum + layers, 0)
  const kept = gpus.map(({ name, layers }) => ({
    name,
    layers: Math.floor((layers * left) / Math.max(1, before)),
  }))
  const given = kept.reduce((sum, { layers }) => sum + layers, 0)
  const devices = kept.map((each, index) =>
    index === 0 ? { ...each, layers: each.layers + left - given } : each,
  )
  return {
    devices: [...devices, { name: "CPU", layers: total - left }].filter(({ layers }) => layers > 0),
    explanation: `${plan.explanation}; ${note}`,
  }
}
