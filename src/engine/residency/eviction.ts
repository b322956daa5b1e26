import type { ModelDetails } from "../../domain/model"
import type { ModelPriority, TextModelSettings } from "../../domain/settings"
import type { XllmError } from "../../errors/base"
import { NotEnoughMemory, TooManyModels } from "../../errors/engine"
import { contextAdvice, withWholeConversation } from "../../formats/kv-layout"
import type { MemoryLimits } from "../contract"
import {
  type AvailableMemory,
  availableMemory,
  hasMemoryFor,
  type Holder,
  type MemoryReading,
} from "./available-memory"
import { cacheMemory, type CacheMemory, spaceOnGpus } from "./cache-memory"
import { estimateNeed, type ModelNeed } from "./estimate"
import { place, type Placement } from "./placement"

/** A worker that is loaded, loading or stopping. */
export interface Resident extends Holder {
  readonly id: string
  readonly model: string
  readonly priority: ModelPriority
  readonly pinned: boolean
  /** It is no model: it does not count towards the number of loaded models. */
  readonly isJob?: boolean
  /** It serves a request, or loads for one. */
  readonly active: boolean
  /** It is stopping; its memory will be released. */
  readonly ending: boolean
  /** Milliseconds of one clock. */
  readonly lastUsedAt: number
}

/** The worker to load. */
export interface Candidate {
  readonly model: string
  readonly details: ModelDetails
  readonly settings: TextModelSettings
  readonly priority: ModelPriority
}

export interface EvictionInput {
  readonly candidate: Candidate
  readonly residents: readonly Resident[]
  readonly reading: MemoryReading
  readonly limits: MemoryLimits
}

export interface Fit {
  readonly details: ModelDetails
  readonly memory: CacheMemory
  readonly need: ModelNeed
  readonly placement: Placement
}

/** What is to be done for a candidate. Lists are of ids. */
export type Verdict =
  /** It fits now. */
  | { readonly type: "load"; readonly fit: Fit }
  /** It will fit once these and the stopping ones are gone; then decide again. */
  | { readonly type: "evict"; readonly evict: readonly string[] }
  /** It would fit if these were not busy; empty where busy ones that rank higher are in the way. */
  | { readonly type: "wait"; readonly for: readonly string[] }
  | { readonly type: "never"; readonly error: XllmError }

/** By priority: the lowest is unloaded first. */
export const RANK: Readonly<Record<ModelPriority, number>> = { low: 0, normal: 1, high: 2 }

/**
 * Makes room for a candidate. Evicts nothing where it fits beside all others; otherwise evicts idle workers, lowest
 * priority first, then least recently used; never a busy or pinned one. Evicts as many as it takes to get the most
 * layers on GPUs, and none that would not help.
 */
export function decide(input: EvictionInput): Verdict {
  const { residents } = input
  const hopeless = tooLargeContext(input)
  if (hopeless !== undefined) return { type: "never", error: hopeless }
  const idle = inOrder(residents.filter((each) => isEvictable(each) && !each.active))
  const ending = residents.filter((each) => each.ending)
  const best = score(input, [...ending, ...idle])
  if (best >= 0) {
    if (score(input, []) === best) return loadNow(input)
    const evict = fewest(idle, (gone) => score(input, [...ending, ...gone]) === best)
    return { type: "evict", evict: evict.map(({ id }) => id) }
  }
  const busy = inOrder(residents.filter((each) => isEvictable(each) && each.active))
  const couldGo = [...idle, ...busy]
  const alone = residents.length === 0
  if (alone && isWithinLimits(input)) return loadNow(input)
  if (score(input, [...ending, ...couldGo]) >= 0 || (!alone && mayTryAlone(input))) {
    return busy.length === 0
      ? { type: "evict", evict: idle.map(({ id }) => id) }
      : { type: "wait", for: waitFor(input, ending, idle, busy) }
  }
  return { type: "never", error: neverFits(input, [...ending, ...couldGo]) }
}

/** What the candidate gets beside all residents; undefined where it does not fit, whatever could be evicted. */
export function fitNow(input: EvictionInput): Fit | undefined {
  return score(input, []) < 0 ? undefined : fitWith(input, [])
}

function loadNow(input: EvictionInput): Verdict {
  return { type: "load", fit: fitWith(input, []) }
}

/** May it be unloaded for others once it is idle? */
export function isEvictable({ pinned, ending }: Resident): boolean {
  return !pinned && !ending
}

/** Will it hold its memory for as long as it likes? */
function stays({ pinned, ending }: Resident): boolean {
  return pinned && !ending
}

/** In the order in which they are unloaded for others. */
export function inOrder(residents: readonly Resident[]): Resident[] {
  return [...residents].sort((a, b) => RANK[a.priority] - RANK[b.priority] || a.lastUsedAt - b.lastUsedAt)
}

/** The busy residents that should accept nothing new; those ranking above the candidate are left alone. */
function waitFor(
  input: EvictionInput,
  ending: readonly Resident[],
  idle: readonly Resident[],
  busy: readonly Resident[],
): string[] {
  const lower = busy.filter(({ priority }) => RANK[priority] <= RANK[input.candidate.priority])
  const helps = (gone: readonly Resident[]) => score(input, [...ending, ...idle, ...gone]) >= 0
  const needed = helps(lower) ? fewest(lower, helps) : lower.length === busy.length ? lower : []
  return needed.map(({ id }) => id)
}

/** The shortest prefix of `residents` that is enough, without its members that are not needed. */
export function fewest(
  residents: readonly Resident[],
  enough: (gone: readonly Resident[]) => boolean,
): Resident[] {
  let gone: Resident[] = []
  for (const resident of residents) {
    if (enough(gone)) break
    gone.push(resident)
  }
  for (const resident of gone.toReversed()) {
    const without = gone.filter((each) => each !== resident)
    if (enough(without)) gone = without
  }
  return gone
}

/** Layers on GPUs that the candidate would get without `gone`; -1 where it would not fit at all. */
function score(input: EvictionInput, gone: readonly Resident[]): number {
  const { candidate, limits, residents } = input
  const kept = residents.filter((each) => !gone.includes(each))
  const loaded = kept.filter(({ isJob }) => isJob !== true)
  const models = new Set(loaded.map(({ model }) => model)).add(candidate.model)
  if (limits.maxModels !== undefined && models.size > limits.maxModels) return -1
  const { placement } = fitWith(input, gone)
  return hasMemoryFor(placement.footprint, availableFor(input, gone)) ? placement.gpuLayers : -1
}

function fitWith(input: EvictionInput, gone: readonly Resident[]): Fit {
  const { details, settings } = input.candidate
  const available = availableFor(input, gone)
  // The cache may grow into what others can make way for: how long conversations may be does not depend on what happens
  // to be loaded.
  const memory = cacheMemory(details, settings, mostAvailable(input))
  const onGpus = placed(estimateNeed(details, settings, spaceOnGpus(memory)))
  // With a cache sized for the GPUs nothing may be left for the layers; the CPU's memory may hold a larger one.
  return onGpus.placement.gpuLayers > 0
    ? onGpus
    : placed(estimateNeed(details, settings, { freeBytes: memory.systemBytes }))

  function placed(need: ModelNeed): Fit {
    return { details, memory, need, placement: place({ need, gpus: available.gpus, settings }) }
  }
}

/** What is available once all are gone that can be made to go. */
export function mostAvailable({
  residents,
  reading,
  limits,
}: Omit<EvictionInput, "candidate">): AvailableMemory {
  return availableMemory(
    reading,
    limits,
    residents.filter(stays),
    residents.filter((each) => !stays(each)),
  )
}

function availableFor(
  { residents, reading, limits }: EvictionInput,
  gone: readonly Resident[],
): AvailableMemory {
  const kept = residents.filter((each) => !gone.includes(each))
  return availableMemory(reading, limits, kept, gone)
}

/** Estimates can be pessimistic, so on an empty server try anyway. */
function mayTryAlone(input: EvictionInput): boolean {
  return !input.residents.some(stays) && isWithinLimits(input)
}

/** Would the candidate alone stay within the configured limits? */
function isWithinLimits(input: EvictionInput): boolean {
  const { limitBytes, gpuLimitBytes } = input.limits
  const { footprint } = fitWith(input, input.residents).placement
  return (
    footprint.ramBytes <= (limitBytes ?? Number.POSITIVE_INFINITY) &&
    footprint.devices.every(({ bytes }) => bytes <= (gpuLimitBytes ?? Number.POSITIVE_INFINITY))
  )
}

/**
 * A requested context that exceeds all obtainable memory. This is certain, not estimated, so nothing is evicted and
 * nothing is tried. On GPUs the backends themselves refuse what does not fit.
 */
function tooLargeContext(input: EvictionInput): XllmError | undefined {
  const { model, details, settings } = input.candidate
  const isAskedFor = settings.contextLength !== null || settings.kvCells !== null
  if (details.kind !== "text" || !isAskedFor) return undefined
  const { need, placement } = fitWith(input, input.residents)
  const { systemBytes } = availableFor(input, input.residents)
  const isHopeless = need.leastContextBytes > systemBytes + input.limits.headroomBytes
  if (need.kv === null || !isHopeless || placement.gpuLayers > 0) return undefined
  const left = systemBytes - need.processBytes
  const kv = withWholeConversation(need.kv)
  // The footprint is for what is usual: it leaves out what only a very long context takes beside its cache.
  const needed = Math.max(placement.footprint.ramBytes, need.processBytes + need.leastContextBytes)
  return new NotEnoughMemory(model, "system memory", needed, systemBytes, contextAdvice(kv, settings, left))
}

function neverFits(input: EvictionInput, gone: readonly Resident[]): XllmError {
  const { candidate, limits } = input
  const pinned = [...new Set(input.residents.filter((each) => each.pinned).map(({ model }) => `'${model}'`))]
  const { placement } = fitWith(input, gone)
  const { footprint } = placement
  const available = availableFor(input, gone)
  if (limits.maxModels !== undefined && hasMemoryFor(placement.footprint, available)) {
    return new TooManyModels(candidate.model, limits.maxModels)
  }
  const why =
    pinned.length > 0
      ? `${pinned.join(", ")} ${pinned.length === 1 ? "is" : "are"} pinned`
      : limits.limitBytes === undefined
        ? candidate.details.kind === "text"
          ? "a smaller model, a more strongly quantized one or fewer slots may help"
          : "a smaller or more strongly quantized model may help"
        : `the limit for all models together is ${Math.round(limits.limitBytes / 1024 ** 2)} MiB`
  const device = footprint.devices.find(
    ({ name, bytes }) => bytes > (available.gpus.find((gpu) => gpu.name === name)?.freeBytes ?? 0),
  )
  if (device !== undefined) {
    const free = available.gpus.find((gpu) => gpu.name === device.name)?.freeBytes ?? 0
    return new NotEnoughMemory(candidate.model, `the memory of ${device.name}`, device.bytes, free, why)
  }
  return new NotEnoughMemory(candidate.model, "system memory", footprint.ramBytes, available.systemBytes, why)
}
