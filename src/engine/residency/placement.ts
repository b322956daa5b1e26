import type { LayerPlan, MemoryFootprint } from "../../domain/device"
import type { TextModelSettings } from "../../domain/settings"
import type { ModelNeed } from "./estimate"

/** A GPU that layers can be put on. */
export interface Gpu {
  readonly name: string
  /** Available bytes, after headroom and limits. May be negative. */
  readonly freeBytes: number
  /** Name of the llama.cpp backend; absent: not known. */
  readonly backend?: string
  /**
   * Another backend's view of a card earlier in the list; used where the earlier one cannot be, or where it is
   * named.
   */
  readonly isTwin?: boolean
}

type OffloadSettings = Pick<TextModelSettings, "gpuLayers" | "splitMode" | "tensorSplit" | "devices">

export interface PlacementInput {
  readonly need: ModelNeed
  /** In the backends' order. */
  readonly gpus: readonly Gpu[]
  readonly settings: OffloadSettings
}

/** Where a model's layers go. */
export interface Placement {
  readonly gpuLayers: number
  /** The GPUs in use; `null`: none. */
  readonly devices: readonly string[] | null
  /** Shares of those devices; `null`: one device, or none. */
  readonly tensorSplit: readonly number[] | null
  /** The estimated memory. */
  readonly footprint: MemoryFootprint
  readonly plan: LayerPlan
}

/** GPUs with their shares, and the number of layers on each. */
interface Split {
  readonly gpus: readonly Gpu[]
  readonly shares: readonly number[]
}

/**
 * Places a model's layers: all on the GPU with the most free memory where they fit on one, otherwise as many as fit
 * over all GPUs in proportion to their free memory; the rest runs on the CPU. Values fixed by the settings are kept
 * even where they do not fit.
 */
export function place(input: PlacementInput): Placement {
  const { need, settings } = input
  const gpus = usableGpus(input.gpus, settings, need.backends)
  if (need.backends?.length === 0) return onCpu(need, "its engine supports nothing else")
  if (settings.gpuLayers === 0) return onCpu(need, "the settings put no layers on GPUs")
  if (gpus.length === 0) return onCpu(need, "there is no GPU to use")
  const wanted = Math.min(settings.gpuLayers ?? need.layers, need.layers)
  if (settings.tensorSplit !== null) return bySettings(input, gpus, settings.tensorSplit, wanted)
  const roomiest = gpus.reduce((best, gpu) => (gpu.freeBytes > best.freeBytes ? gpu : best))
  const single = { gpus: [roomiest], shares: [1] }
  if (fits(need, single, wanted)) {
    return onGpus(
      need,
      single,
      wanted,
      `${describe(wanted, need)} on ${freeOf(roomiest)}, ${roomiestOf(gpus)}`,
    )
  }
  if (settings.splitMode === "none" || gpus.length === 1) {
    const layers = settings.gpuLayers === null ? mostThatFit(need, single, wanted) : wanted
    return layers === 0
      ? onCpu(need, `${freeOf(roomiest)} has too little memory for a layer`)
      : onGpus(need, single, layers, `${describe(layers, need)} on ${freeOf(roomiest)}: ${manner(settings)}`)
  }
  return overAll(input, gpus, wanted)
}

/**
 * The GPUs that the settings name, in that order, which a split follows as well; otherwise every card once.
 * @param backends whose GPUs count; `null`: all
 */
export function usableGpus(
  gpus: readonly Gpu[],
  { devices }: Pick<OffloadSettings, "devices">,
  backends: readonly string[] | null,
): readonly Gpu[] {
  const able = gpus.filter(({ backend = "" }) => backends === null || backends.includes(backend))
  if (devices !== null) return devices.flatMap((wanted) => able.find(({ name }) => name === wanted) ?? [])
  return backends === null ? able.filter(({ isTwin }) => isTwin !== true) : able
}

function overAll({ need, settings }: PlacementInput, gpus: readonly Gpu[], wanted: number): Placement {
  const able = gpus.filter(({ freeBytes }) => freeBytes >= need.computeBytes + perLayer(need))
  const used = settings.gpuLayers === null || able.length > 0 ? able : gpus
  if (used.length === 0) return onCpu(need, "no GPU has enough memory for a layer")
  const split = { gpus: used, shares: sharesOf(used, need) }
  const layers = settings.gpuLayers === null ? mostThatFit(need, split, wanted) : wanted
  if (layers === 0) return onCpu(need, "no GPU has enough memory for a layer")
  const names = used.map(freeOf).join(" and ")
  const how =
    layers === wanted
      ? "in proportion to their free memory, because no single GPU has enough for all"
      : manner(settings)
  return onGpus(need, split, layers, `${describe(layers, need)} over ${names}: ${how}`)
}

/** In proportion to the memory free for layers, as fractions of 1. */
function sharesOf(gpus: readonly Gpu[], need: ModelNeed): number[] {
  const room = gpus.map(({ freeBytes }) => Math.max(1, freeBytes - need.computeBytes))
  const total = room.reduce((sum, bytes) => sum + bytes, 0)
  return room.map((bytes) => Math.round((1000 * bytes) / total) / 1000)
}

function bySettings(
  { need, settings }: PlacementInput,
  gpus: readonly Gpu[],
  tensorSplit: readonly number[],
  wanted: number,
): Placement {
  const split = { gpus, shares: gpus.map((_gpu, index) => tensorSplit[index] ?? 0) }
  const layers = settings.gpuLayers === null ? mostThatFit(need, split, wanted) : wanted
  if (layers === 0) return onCpu(need, "no GPU has enough memory for its share of the layers")
  return onGpus(
    need,
    split,
    layers,
    `${describe(layers, need)} over ${gpus.map(freeOf).join(" and ")}, split as set`,
  )
}

function manner({ gpuLayers }: OffloadSettings): string {
  return gpuLayers === null ? "as many as fit, the rest on the CPU" : "as many as set"
}

function describe(layers: number, need: ModelNeed): string {
  if (need.layers === 1) return "the whole model"
  return layers === need.layers ? `all ${layers} layers` : `${layers} of ${need.layers} layers`
}

function roomiestOf(gpus: readonly Gpu[]): string {
  return gpus.length === 1 ? "the only GPU" : "the GPU with the most free memory"
}

function freeOf({ name, freeBytes }: Gpu): string {
  const mebibytes = Math.max(0, freeBytes) / 1024 ** 2
  const size = mebibytes < 1024 ? `${Math.floor(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`
  return `${name} (${size} free)`
}

/** Weights and cache of one layer. */
function perLayer(need: ModelNeed): number {
  return need.layerBytes + need.cacheBytes / need.layers
}

function mostThatFit(need: ModelNeed, split: Split, wanted: number): number {
  let layers = wanted
  while (layers > 0 && !fits(need, split, layers)) layers -= 1
  return layers
}

function fits(need: ModelNeed, split: Split, layers: number): boolean {
  return layersOf(split, layers).every(
    (count, index) => bytesOn(need, count) <= (split.gpus[index]?.freeBytes ?? 0),
  )
}

function bytesOn(need: ModelNeed, layers: number): number {
  return layers === 0 ? 0 : layers * perLayer(need) + need.computeBytes
}

/**
 * Layers per device by llama.cpp's own rule (`get_layer_buft_list` in llama-model.cpp): the k-th of n layers goes
 * to the first device whose cumulative share exceeds k/n.
 */
function layersOf({ shares }: Split, layers: number): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0)
  const counts = shares.map(() => 0)
  const ends: number[] = []
  for (const share of shares) ends.push((ends.at(-1) ?? 0) + (total > 0 ? share / total : 1 / shares.length))
  for (let layer = 0; layer < layers; layer++) {
    const found = ends.findIndex((end) => layer / layers < end)
    const index = found === -1 ? shares.length - 1 : found
    counts[index] = (counts[index] ?? 0) + 1
  }
  return counts
}

function onCpu(need: ModelNeed, why: string): Placement {
  return {
    gpuLayers: 0,
    devices: null,
    tensorSplit: null,
    footprint: { ramBytes: ramBytes(need, 0), devices: [] },
    plan: {
      devices: [{ name: "CPU", layers: need.layers }],
      explanation: `${need.layers === 1 ? "the whole model" : "all layers"} on the CPU: ${why}`,
    },
  }
}

function onGpus(need: ModelNeed, split: Split, gpuLayers: number, explanation: string): Placement {
  const counts = layersOf(split, gpuLayers)
  const used = split.gpus.map(({ name }, index) => ({ name, layers: counts[index] ?? 0 }))
  const rest = need.layers - gpuLayers
  return {
    gpuLayers,
    devices: split.gpus.map(({ name }) => name),
    tensorSplit: split.gpus.length === 1 ? null : split.shares,
    footprint: {
      ramBytes: ramBytes(need, gpuLayers),
      devices: used.map(({ name, layers }) => ({ name, bytes: bytesOn(need, layers) })),
    },
    plan: {
      devices: [...used, { name: "CPU", layers: rest }].filter(({ layers }) => layers > 0),
      explanation,
    },
  }
}

function ramBytes(need: ModelNeed, gpuLayers: number): number {
  const rest = need.layers - gpuLayers
  return need.processBytes + rest * perLayer(need) + (rest > 0 ? need.computeBytes : 0)
}
