import type { MemoryFootprint } from "../../domain/device"
import type { ModelDetails } from "../../domain/model"
import { XllmError } from "../../errors/base"
import type { MemoryLimits } from "../contract"
import type { UnloadReason } from "../observer"
import {
  type AvailableMemory,
  availableMemory,
  type MemoryReading,
  NO_MEMORY,
  together,
} from "./available-memory"
import { decide, type EvictionInput, type Fit, fitNow, mostAvailable, RANK, type Resident } from "./eviction"
import { type PoolEntry, isIdle, isResident, newEntry, type PoolMember, toResident } from "./pool-entry"
import { type MemoryRequest, type Reservation, Reservations } from "./reservations"

/** The pool's side effects beside the calls of its members; the answer comes later, as a call of another method. */
export interface PoolEffects {
  /** Measure memory and describe the models of `wanted`; answered by {@link Pool.measured}. */
  measure(wanted: readonly PoolMember[], amounts: readonly MemoryFootprint[]): void
  /** Call {@link Pool.tick} at that time. */
  wakeAt(time: number | undefined): void
}

export interface Measurement {
  readonly reading: MemoryReading
  /** An error where the model's file cannot be described. */
  readonly details: ReadonlyMap<PoolMember, ModelDetails | XllmError>
}

export interface PoolOptions {
  readonly limits: MemoryLimits
  readonly effects: PoolEffects
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/**
 * The loaded workers and those waiting to load: the only owner of both. Every method changes the state
 * synchronously and triggers effects. `eviction.ts` decides what to evict, as soon as fresh readings arrive and by
 * what is busy at that moment.
 */
export class Pool {
  readonly #options: PoolOptions
  readonly #entries = new Map<PoolMember, PoolEntry>()
  readonly #reservations = new Reservations()
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
  want(member: PoolMember): void {
    if (this.#closed) return
    const entry = this.#entries.get(member) ?? newEntry(member)
    this.#entries.set(member, entry)
    if (entry.state === "ending") entry.again = true
    if (entry.state !== "absent") return
    this.#becomeWanted(entry)
    this.#look()
  }

  /** Withdraws the request. A load that has begun continues. */
  unwant(member: PoolMember): void {
    const entry = this.#entries.get(member)
    if (entry === undefined) return
    entry.again = false
    if (entry.state !== "wanted") return
    this.#entries.delete(member)
    this.#look()
  }

  /**
   * It has loaded and holds this much, of which `reserved` is not taken yet. It counts as busy until {@link idle} is
   * called.
   */
  ready(member: PoolMember, footprint: MemoryFootprint, reserved = NO_MEMORY): void {
    const entry = this.#in(member, "loading")
    if (entry === undefined) return
    entry.state = "ready"
    entry.footprint = footprint
    entry.reserved = reserved
    entry.active = true
    this.#look()
  }

  /** It holds more or less than before. Ends what was granted to it by {@link reserve}. */
  remeasured(member: PoolMember, footprint: MemoryFootprint, reserved = NO_MEMORY): void {
    const entry = this.#in(member, "ready")
    if (entry === undefined) return
    entry.footprint = footprint
    entry.reserved = reserved
    this.#reservations.settle(member)
    this.#look()
  }

  /**
   * Asks for memory beside the footprints of the loaded models: for a worker that grows, or a job that is no model.
   * Granted at once where it fits, otherwise once idle workers that make room for it are gone; refused where they do
   * not. Two that ask never count on the same memory.
   */
  reserve(request: MemoryRequest): Reservation {
    const remove = this.#reservations.add(request)
    this.#look()
    return {
      release: () => {
        if (remove()) this.#look()
      },
    }
  }

  /** It serves a request. */
  busy(member: PoolMember): void {
    const entry = this.#in(member, "ready")
    if (entry === undefined) return
    entry.active = true
    entry.lastUsedAt = this.#options.now()
    entry.expiresAt = null
    this.#arm()
  }

  /** It is unused; after `keepAliveMs` it is unloaded. `null`: it stays. */
  idle(member: PoolMember, keepAliveMs: number | null): void {
    const entry = this.#in(member, "ready")
    if (entry === undefined) return
    entry.active = false
    entry.lastUsedAt = this.#options.now()
    if (entry.retired) this.#unload(entry, "replaced")
    else this.keepFor(member, keepAliveMs)
    this.#look()
  }

  /** How long it stays loaded after its last use. */
  keepFor(member: PoolMember, keepAliveMs: number | null): void {
    const entry = this.#in(member, "ready")
    if (entry === undefined || entry.active) return
    const stays = keepAliveMs === null || entry.member.settings.pinned
    entry.expiresAt = stays ? null : entry.lastUsedAt + keepAliveMs
    this.tick()
  }

  /** It gets no more work: it is unloaded once idle and no longer wanted. */
  retire(member: PoolMember): void {
    this.unwant(member)
    const entry = this.#entries.get(member)
    if (entry === undefined) return
    entry.retired = true
    if (entry.state === "loading" || isIdle(entry)) this.#unload(entry, "replaced")
  }

  /** It failed, and its process is ending. */
  ending(member: PoolMember): void {
    const entry = this.#entries.get(member)
    if (entry?.state === "loading" || entry?.state === "ready") this.#becomeEnding(entry)
  }

  /** Its process is gone, and its memory released. */
  ended(member: PoolMember): void {
    const entry = this.#entries.get(member)
    if (entry === undefined) return
    entry.state = "absent"
    entry.footprint = NO_MEMORY
    entry.reserved = NO_MEMORY
    this.#reservations.settle(member)
    if (entry.again) this.#becomeWanted(entry)
    else this.#entries.delete(member)
    this.#look()
  }

  /** Unloads it at once, and withdraws any request for it. */
  stop(member: PoolMember, reason: UnloadReason): void {
    this.unwant(member)
    const entry = this.#entries.get(member)
    if (entry?.state === "loading" || entry?.state === "ready") this.#unload(entry, reason)
  }

  /** Ends everything; nothing is loaded from then on. */
  close(): void {
    this.#closed = true
    for (const member of [...this.#entries.keys()]) this.stop(member, "shutdown")
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
  measured(measurement: Measurement): void {
    this.#measuring = false
    if (this.#closed) return
    const { reading } = measurement
    // What runs already comes first: it ends the sooner, and others wait for it.
    const evict = this.#reservations.decide({
      reading,
      limits: this.#limits,
      residents: () => this.residents(),
    })
    if (evict === undefined) this.#decideLoads(measurement)
    else for (const id of evict) this.#evict(id)
    if (this.#changed) this.#look()
  }

  #decideLoads({ reading, details }: Measurement): void {
    const held = new Set<string>()
    let someoneWaits = false
    for (const entry of this.#wanted()) {
      const { member } = entry
      const found = details.get(member)
      if (found === undefined) continue
      if (found instanceof XllmError) {
        this.#refuse(entry, found)
        continue
      }
      const input = this.#inputFor(member, found, reading)
      if (someoneWaits || member.number > 1) {
        // It may overtake, but nothing is evicted for it.
        const fit = fitNow(input)
        if (fit !== undefined) this.#load(entry, fit)
        else if (member.number > 1) this.#decline(entry)
        continue
      }
      const verdict = decide(input)
      if (verdict.type === "load") this.#load(entry, verdict.fit)
      else if (verdict.type === "never") this.#refuse(entry, verdict.error)
      else if (verdict.type === "wait") {
        someoneWaits = true
        for (const id of verdict.for) held.add(id)
        member.waits()
      } else {
        for (const id of verdict.evict) this.#evict(id)
        // The memory they release is for this one.
        break
      }
    }
    this.#holdOnly(held)
  }

  /** The memory available without evictions. */
  room(reading: MemoryReading): AvailableMemory {
    return availableMemory(reading, this.#limits, this.residents())
  }

  /** The memory available once all workers are gone that can be made to go. */
  most(reading: MemoryReading): AvailableMemory {
    return mostAvailable({ reading, limits: this.#limits, residents: this.residents() })
  }

  /** The workers that hold memory, or are about to. */
  residents(): readonly Resident[] {
    const workers = [...this.#entries.values()].filter(isResident).map((entry) => this.#toResident(entry))
    return [...workers, ...this.#reservations.jobs]
  }

  /** When an idle worker is unloaded; `null`: never by time; undefined: it is not idle. */
  expiresAt(member: PoolMember): number | null | undefined {
    const entry = this.#entries.get(member)
    return entry !== undefined && isIdle(entry) ? entry.expiresAt : undefined
  }

  /** What it holds, together with what it was granted. */
  footprintOf(member: PoolMember): MemoryFootprint | undefined {
    const entry = this.#entries.get(member)
    return entry !== undefined && isResident(entry) ? this.#toResident(entry).footprint : undefined
  }

  /** Requests a measurement where a decision is due. */
  #look(): void {
    if (this.#measuring) {
      this.#changed = true
      return
    }
    this.#changed = false
    const wanted = this.#wanted()
    const amounts = this.#reservations.measure()
    if (wanted.length === 0) this.#holdOnly(new Set())
    if (wanted.length + amounts.length === 0) return
    this.#measuring = true
    this.#options.effects.measure(
      wanted.map(({ member }) => member),
      amounts,
    )
  }

  /** By priority, then by order of request. */
  #wanted(): PoolEntry[] {
    const rank = ({ member }: PoolEntry) => RANK[member.settings.priority]
    return [...this.#entries.values()]
      .filter(({ state }) => state === "wanted")
      .sort((a, b) => rank(b) - rank(a) || a.order - b.order)
  }

  #inputFor({ model, settings }: PoolMember, details: ModelDetails, reading: MemoryReading): EvictionInput {
    const candidate = { model: model.name, details, settings, priority: settings.priority }
    return { candidate, residents: this.residents(), reading, limits: this.#limits }
  }

  #toResident(entry: PoolEntry): Resident {
    const granted = this.#reservations.of(entry.member)
    const resident = toResident(entry)
    return {
      ...resident,
      footprint: together([entry.footprint, granted]),
      reserved: together([entry.reserved, granted]),
    }
  }

  #becomeWanted(entry: PoolEntry): void {
    entry.state = "wanted"
    entry.again = false
    entry.order = this.#orders++
  }

  #becomeEnding(entry: PoolEntry): void {
    entry.state = "ending"
    entry.active = false
    entry.held = false
    entry.expiresAt = null
    this.#reservations.withdraw(entry.member)
  }

  #load(entry: PoolEntry, fit: Fit): void {
    entry.state = "loading"
    entry.footprint = fit.placement.footprint
    entry.lastUsedAt = this.#options.now()
    entry.member.load(fit)
  }

  #refuse(entry: PoolEntry, error: XllmError): void {
    this.#entries.delete(entry.member)
    entry.member.refuse(error)
  }

  #decline(entry: PoolEntry): void {
    this.#entries.delete(entry.member)
    entry.member.decline()
  }

  #evict(id: string): void {
    const entry = [...this.#entries.values()].find(({ member }) => member.id === id)
    if (entry?.state === "ready") this.#unload(entry, "memory")
  }

  #unload(entry: PoolEntry, reason: UnloadReason): void {
    this.#becomeEnding(entry)
    entry.member.unload(reason)
  }

  #holdOnly(ids: ReadonlySet<string>): void {
    for (const entry of this.#entries.values()) {
      const held = ids.has(entry.member.id) && entry.state === "ready"
      if (entry.held === held) continue
      entry.held = held
      entry.member.hold(held)
    }
  }

  #arm(): void {
    const times = [...this.#entries.values()].flatMap((entry) =>
      isIdle(entry) && entry.expiresAt !== null ? [entry.expiresAt] : [],
    )
    this.#options.effects.wakeAt(times.length === 0 ? undefined : Math.min(...times))
  }

  #in(member: PoolMember, state: PoolEntry["state"]): PoolEntry | undefined {
    const entry = this.#entries.get(member)
    return entry?.state === state ? entry : undefined
  }
}
