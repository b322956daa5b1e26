import type { MemoryFootprint } from "../../domain/device"
import type { ModelDetails } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import { XllmError } from "../../errors/base"
import type { MemoryLimits } from "../contract"
import type { UnloadReason } from "../observer"
import { type AvailableMemory, availableMemory, type MemoryReading } from "./available-memory"
import { decide, type EvictionInput, type Fit, fitNow, type Resident } from "./eviction"

/** A worker that can be loaded: the n-th replica of a model, from 1. */
export interface PoolWorker {
  /** Unique. */
  readonly id: string
  readonly model: string
  readonly replica: number
}

/** The pool's side effects. Called from the pool's methods; the answer comes later, as a call of another method. */
export interface PoolEffects {
  /** Measure memory and describe these workers' models; answered by {@link Pool.measured}. */
  measure(ids: readonly string[]): void
  /** Answered by {@link Pool.ready}, or by {@link Pool.ending} and {@link Pool.ended}. */
  load(id: string, fit: Fit): void
  /** Answered by {@link Pool.ended}. */
  unload(id: string, reason: UnloadReason): void
  /** It will not be loaded. */
  refuse(id: string, error: XllmError): void
  /** An additional replica does not fit at present; no request depends on it. */
  decline(id: string): void
  /** It waits until others finish. */
  waits(id: string): void
  /** While held, a worker starts no newly arriving requests: another one waits for its memory. */
  hold(id: string, held: boolean): void
  /** Call {@link Pool.tick} at that time. */
  wakeAt(time: number | undefined): void
}

export interface Measurement {
  readonly reading: MemoryReading
  /** By worker id; an error where the model's file cannot be described. */
  readonly details: ReadonlyMap<string, ModelDetails | XllmError>
}

export interface PoolOptions {
  readonly limits: MemoryLimits
  readonly settingsOf: (model: string) => ModelSettings
  readonly effects: PoolEffects
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

interface Entry extends PoolWorker {
  state: "absent" | "wanted" | "loading" | "ready" | "ending"
  /** Requested again while it is stopping. */
  again: boolean
  /** Increases with each request for a worker. */
  order: number
  footprint: MemoryFootprint
  active: boolean
  held: boolean
  /** It gets no more work, see {@link Pool.retire}. */
  retired: boolean
  lastUsedAt: number
  /** When it is unloaded unless used; `null`: never by time. */
  expiresAt: number | null
}

const NOTHING: MemoryFootprint = { ramBytes: 0, devices: [] }

const RANK = { high: 0, normal: 1, low: 2 } as const

/**
 * The loaded workers and those waiting to load: the only owner of both. Every method changes the state
 * synchronously and triggers effects. `eviction.ts` decides what to evict, as soon as fresh readings arrive and by
 * what is busy at that moment.
 */
export class Pool {
  readonly #options: PoolOptions
  readonly #entries = new Map<string, Entry>()
  #limits: MemoryLimits
  #orders = 0
  #measuring = false
  /** Something changed since the current measurement began. */
  #changed = false
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#limits = options.limits
  }

  /** Sets new limits. They apply to the next load: nothing is unloaded for them. */
  setLimits(limits: MemoryLimits): void {
    this.#limits = limits
    this.#look()
  }

  /** Requests this worker: it is loaded as soon as it fits. */
  want(worker: PoolWorker): void {
    if (this.#closed) return
    const entry = this.#entries.get(worker.id) ?? newEntry(worker)
    this.#entries.set(worker.id, entry)
    if (entry.state === "ending") entry.again = true
    if (entry.state !== "absent") return
    this.#becomeWanted(entry)
    this.#look()
  }

  /** Withdraws the request. A load that has begun continues. */
  unwant(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.again = false
    if (entry.state !== "wanted") return
    this.#entries.delete(id)
    this.#look()
  }

  /** It has loaded and holds this much. It counts as busy until {@link idle} is called. */
  ready(id: string, footprint: MemoryFootprint): void {
    const entry = this.#in(id, "loading")
    if (entry === undefined) return
    entry.state = "ready"
    entry.footprint = footprint
    entry.active = true
    this.#look()
  }

  /** It holds more or less than was measured after its load. */
  remeasured(id: string, footprint: MemoryFootprint): void {
    const entry = this.#in(id, "ready")
    if (entry !== undefined) entry.footprint = footprint
    this.#look()
  }

  /** It serves a request. */
  busy(id: string): void {
    const entry = this.#in(id, "ready")
    if (entry === undefined) return
    entry.active = true
    entry.lastUsedAt = this.#options.now()
    entry.expiresAt = null
    this.#arm()
  }

  /** It is unused; after `keepAliveMs` it is unloaded. `null`: it stays. */
  idle(id: string, keepAliveMs: number | null): void {
    const entry = this.#in(id, "ready")
    if (entry === undefined) return
    entry.active = false
    entry.lastUsedAt = this.#options.now()
    if (entry.retired) this.#unload(entry, "replaced")
    else this.keepFor(id, keepAliveMs)
    this.#look()
  }

  /** How long it stays loaded after its last use. */
  keepFor(id: string, keepAliveMs: number | null): void {
    const entry = this.#in(id, "ready")
    if (entry === undefined || entry.active) return
    const stays = keepAliveMs === null || this.#options.settingsOf(entry.model).pinned
    entry.expiresAt = stays ? null : entry.lastUsedAt + keepAliveMs
    this.tick()
  }

  /** It gets no more work: it is unloaded once idle and no longer wanted. */
  retire(id: string): void {
    this.unwant(id)
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.retired = true
    if (entry.state === "loading" || isIdle(entry)) this.#unload(entry, "replaced")
  }

  /** It failed, and its process is ending. */
  ending(id: string): void {
    const entry = this.#entries.get(id)
    if (entry?.state === "loading" || entry?.state === "ready") this.#becomeEnding(entry)
  }

  /** Its process is gone, and its memory released. */
  ended(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.state = "absent"
    entry.footprint = NOTHING
    if (entry.again) this.#becomeWanted(entry)
    else this.#entries.delete(id)
    this.#look()
  }

  /** Unloads it at once, and withdraws any request for it. */
  stop(id: string, reason: UnloadReason): void {
    this.unwant(id)
    const entry = this.#entries.get(id)
    if (entry?.state === "loading" || entry?.state === "ready") this.#unload(entry, reason)
  }

  /** Ends everything; nothing is loaded from then on. */
  close(): void {
    this.#closed = true
    for (const id of [...this.#entries.keys()]) this.stop(id, "shutdown")
    this.#options.effects.wakeAt(undefined)
  }

  /** Unloads workers whose idle time has run out. */
  tick(): void {
    const now = this.#options.now()
    for (const entry of this.#entries.values()) {
      if (isIdle(entry) && entry.expiresAt !== null && entry.expiresAt <= now) this.#unload(entry, "idle")
    }
    this.#arm()
  }

  /** The answer to `measure`. */
  measured({ reading, details }: Measurement): void {
    this.#measuring = false
    if (this.#closed) return
    const held = new Set<string>()
    let someoneWaits = false
    for (const entry of this.#wanted()) {
      const found = details.get(entry.id)
      if (found === undefined) continue
      if (found instanceof XllmError) {
        this.#refuse(entry, found)
        continue
      }
      const input = this.#inputFor(entry, found, reading)
      if (someoneWaits || entry.replica > 1) {
        // It may overtake, but nothing is evicted for it.
        const fit = fitNow(input)
        if (fit !== undefined) this.#load(entry, fit)
        else if (entry.replica > 1) this.#decline(entry)
        continue
      }
      const verdict = decide(input)
      if (verdict.type === "load") this.#load(entry, verdict.fit)
      else if (verdict.type === "never") this.#refuse(entry, verdict.error)
      else if (verdict.type === "wait") {
        someoneWaits = true
        for (const id of verdict.for) held.add(id)
        this.#options.effects.waits(entry.id)
      } else {
        for (const id of verdict.evict) this.#evict(id)
        // The memory they release is for this one.
        break
      }
    }
    this.#holdOnly(held)
    if (this.#changed) this.#look()
  }

  /** The memory available without evictions. */
  room(reading: MemoryReading): AvailableMemory {
    return availableMemory(reading, this.#limits, this.residents())
  }

  /** The workers that hold memory, or are about to. */
  residents(): readonly Resident[] {
    return [...this.#entries.values()].filter(isResident).map((entry) => this.#toResident(entry))
  }

  /** When an idle worker is unloaded; `null`: never by time; undefined: it is not idle. */
  expiresAt(id: string): number | null | undefined {
    const entry = this.#entries.get(id)
    return entry !== undefined && isIdle(entry) ? entry.expiresAt : undefined
  }

  footprintOf(id: string): MemoryFootprint | undefined {
    const entry = this.#entries.get(id)
    return entry !== undefined && isResident(entry) ? entry.footprint : undefined
  }

  /** Requests a measurement where a worker waits for a decision. */
  #look(): void {
    if (this.#measuring) {
      this.#changed = true
      return
    }
    this.#changed = false
    const wanted = this.#wanted()
    if (wanted.length === 0) return this.#holdOnly(new Set())
    this.#measuring = true
    this.#options.effects.measure(wanted.map(({ id }) => id))
  }

  /** By priority, then by order of request. */
  #wanted(): Entry[] {
    const rank = ({ model }: Entry) => RANK[this.#options.settingsOf(model).priority]
    return [...this.#entries.values()]
      .filter(({ state }) => state === "wanted")
      .sort((a, b) => rank(a) - rank(b) || a.order - b.order)
  }

  #inputFor(entry: Entry, details: ModelDetails, reading: MemoryReading): EvictionInput {
    const settings = this.#options.settingsOf(entry.model)
    const candidate = { model: entry.model, details, settings, priority: settings.priority }
    return { candidate, residents: this.residents(), reading, limits: this.#limits }
  }

  #toResident(entry: Entry): Resident {
    const { priority, pinned } = this.#options.settingsOf(entry.model)
    const { id, model, footprint, lastUsedAt, state, retired } = entry
    return {
      id,
      model,
      footprint,
      lastUsedAt,
      priority,
      pinned: pinned && !retired,
      loading: state === "loading",
      ending: state === "ending",
      active: state === "loading" || entry.active,
    }
  }

  #becomeWanted(entry: Entry): void {
    entry.state = "wanted"
    entry.again = false
    entry.order = this.#orders++
  }

  #becomeEnding(entry: Entry): void {
    entry.state = "ending"
    entry.active = false
    entry.held = false
    entry.expiresAt = null
  }

  #load(entry: Entry, fit: Fit): void {
    entry.state = "loading"
    entry.footprint = fit.placement.footprint
    entry.lastUsedAt = this.#options.now()
    this.#options.effects.load(entry.id, fit)
  }

  #refuse(entry: Entry, error: XllmError): void {
    this.#entries.delete(entry.id)
    this.#options.effects.refuse(entry.id, error)
  }

  #decline(entry: Entry): void {
    this.#entries.delete(entry.id)
    this.#options.effects.decline(entry.id)
  }

  #evict(id: string): void {
    const entry = this.#in(id, "ready")
    if (entry !== undefined) this.#unload(entry, "memory")
  }

  #unload(entry: Entry, reason: UnloadReason): void {
    this.#becomeEnding(entry)
    this.#options.effects.unload(entry.id, reason)
  }

  #holdOnly(ids: ReadonlySet<string>): void {
    for (const entry of this.#entries.values()) {
      const held = ids.has(entry.id) && entry.state === "ready"
      if (entry.held === held) continue
      entry.held = held
      this.#options.effects.hold(entry.id, held)
    }
  }

  #arm(): void {
    const times = [...this.#entries.values()].flatMap((entry) =>
      isIdle(entry) && entry.expiresAt !== null ? [entry.expiresAt] : [],
    )
    this.#options.effects.wakeAt(times.length === 0 ? undefined : Math.min(...times))
  }

  #in(id: string, state: Entry["state"]): Entry | undefined {
    const entry = this.#entries.get(id)
    return entry?.state === state ? entry : undefined
  }
}

function newEntry(worker: PoolWorker): Entry {
  return {
    ...worker,
    state: "absent",
    again: false,
    order: 0,
    footprint: NOTHING,
    active: false,
    held: false,
    retired: false,
    lastUsedAt: 0,
    expiresAt: null,
  }
}

function isIdle(entry: Entry): boolean {
  return entry.state === "ready" && !entry.active
}

function isResident({ state }: Entry): boolean {
  return state === "loading" || state === "ready" || state === "ending"
}
