import type { LayerPlan, MemoryFootprint } from "../../domain/device"
import type { TextModelSettings } from "../../domain/settings"
import type { ModelNeed } from "./estimate"

/** A GPU that layers can be put on. */
export interface Gpu {
  readonly name: string
  /** Bytes that may be taken: after head-room and limits. May be negative. */
  readonly freeBytes: number
  /** Of llama.cpp's backends; absent: not known. */
  readonly backend?: string
  /** It is the same card as one that comes before it, and is used where that one cannot be, or where it is named. */
  readonly isTwin?: boolean
}

type OffloadSettings = Pick<TextModelSettings, "gpuLayers" | "splitMode" | "tensorSplit" | "devices">

export interface PlacementInput {
  readonly need: ModelNeed
  /** In the backends' order. */
  readonly gpus: readonly Gpu[]
  readonly settings: OffloadSettings
}

/** Where the layers of a model are to go. */
export interface Placement {
  readonly gpuLayers: number
  /** The GPUs to use; `null`: none. */
  readonly devices: readonly string[] | null
  /** Shares of those devices; `null`: one device, or none. */
  readonly tensorSplit: readonly number[] | null
  /** What that takes, estimated. */
  readonly footprint: MemoryFootprint
  readonly plan: LayerPlan
}

/** GPUs with their shares, and the layers that each of them gets. */
interface Split {
  readonly gpus: readonly Gpu[]
  readonly shares: readonly number[]
}

/**
 * Puts a model's layers on GPUs: all on the one with most free memory where they fit on one, otherwise over all of them
 * in proportion to their free memory, as many as fit; what is left runs on the CPU. What the settings fix is kept,
 * even where it does not fit.
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
 * Those that the settings name, in their order, which is that of a split in them; otherwise every card once.
 * @param backends whose GPUs count; `null`: those of all
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

/** In proportion to what is free for layers, as fractions of 1. */
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
 * How many layers each device gets, by llama.cpp's own rule (`get_layer_buft_list` in llama-model.cpp): the k-th of n
 * layers goes to the first device whose summed share is larger than k/n.
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
