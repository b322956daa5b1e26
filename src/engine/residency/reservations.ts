import type { MemoryFootprint } from "../../domain/device"
import type { ModelPriority } from "../../domain/settings"
import { NO_MEMORY, together } from "./available-memory"
import { RANK, type Resident } from "./eviction"
import { decideGrowth, type GrowthInput } from "./growth"
import type { PoolMember } from "./pool-entry"

/** Memory that is asked for beside the footprints of the loaded models. */
export interface MemoryRequest {
  /**
   * The worker that grows. Its request is dropped and its reservation released when it reports a new footprint or
   * ends. Absent: a job that is no model, which calls `release` itself.
   */
  readonly owner?: PoolMember
  readonly priority: ModelPriority
  /** At the peak; the preferred amount first. */
  readonly amounts: readonly MemoryFootprint[]
  /** Called once, later, unless the request is released before: which amount may be taken; undefined: none. */
  readonly decided: (amount: number | undefined) => void
}

/** Memory asked for, and held from the grant on. */
export interface Reservation {
  /** Gives it back, or takes the request back; may be called again. */
  release(): void
}

interface Entry {
  readonly id: string
  readonly request: MemoryRequest
  /** Its amounts are part of the current measurement. */
  isMeasured: boolean
  /** Undefined: not decided yet. */
  granted: MemoryFootprint | undefined
}

/** What a decision is based on. */
export type Situation = Pick<GrowthInput, "reading" | "limits"> & {
  /** The current ones, with what was granted so far. */
  readonly residents: () => readonly Resident[]
}

/** The reservations of a pool: granted ones, and open ones that are not decided yet. */
export class Reservations {
  /** In the order in which they were asked for. */
  readonly #entries = new Set<Entry>()
  #count = 0

  /** Returns the function that removes it, which returns false where it is gone already. */
  add(request: MemoryRequest): () => boolean {
    const id = `reservation ${(this.#count += 1)}`
    const entry: Entry = { id, request, isMeasured: false, granted: undefined }
    this.#entries.add(entry)
    return () => this.#entries.delete(entry)
  }

  /** The amounts to decide on; memory is measured for them now. */
  measure(): readonly MemoryFootprint[] {
    for (const entry of this.#open) entry.isMeasured = true
    return this.#open.flatMap(({ request }) => request.amounts)
  }

  /**
   * Decides on all that memory was measured for. Returns the residents to unload for one of them, none where they are
   * on their way out already: nothing else may count on that memory. Undefined: all are decided.
   */
  decide({ reading, limits, residents }: Situation): readonly string[] | undefined {
    for (const entry of this.#open.filter(({ isMeasured }) => isMeasured)) {
      const { owner, amounts, decided } = entry.request
      const from = { amounts, reading, limits, residents: residents() }
      const verdict = decideGrowth(owner === undefined ? from : { ...from, owner: owner.id })
      if (verdict.type === "evict") return verdict.evict
      if (verdict.type === "grant") {
        entry.granted = amounts[verdict.amount]
        decided(verdict.amount)
      } else {
        this.#entries.delete(entry)
        decided(undefined)
      }
    }
    return undefined
  }

  /** What a worker has been granted. */
  of(owner: PoolMember): MemoryFootprint {
    return together(
      [...this.#entries].flatMap(({ request, granted = NO_MEMORY }) =>
        request.owner === owner ? granted : [],
      ),
    )
  }

  /** What jobs have been granted, as residents that are never unloaded. */
  get jobs(): readonly Resident[] {
    return [...this.#entries].flatMap(({ id, request, granted }) =>
      granted === undefined || request.owner !== undefined ? [] : [toResident(id, request, granted)],
    )
  }

  /** Ends what was granted to a worker. */
  settle(owner: PoolMember): void {
    this.#removeWhere(({ request, granted }) => request.owner === owner && granted !== undefined)
  }

  /** Takes back what a worker has asked for. */
  withdraw(owner: PoolMember): void {
    this.#removeWhere(({ request, granted }) => request.owner === owner && granted === undefined)
  }

  /** By priority, then by order. */
  get #open(): readonly Entry[] {
    return [...this.#entries]
      .filter(({ granted }) => granted === undefined)
      .sort((a, b) => RANK[b.request.priority] - RANK[a.request.priority])
  }

  #removeWhere(isGone: (entry: Entry) => boolean): void {
    for (const entry of this.#entries) if (isGone(entry)) this.#entries.delete(entry)
  }
}

function toResident(id: string, { priority }: MemoryRequest, footprint: MemoryFootprint): Resident {
  return {
    id,
    model: id,
    isJob: true,
    footprint,
    reserved: footprint,
    priority,
    pinned: false,
    active: true,
    loading: false,
    ending: false,
    lastUsedAt: 0,
  }
}
