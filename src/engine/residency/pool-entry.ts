import type { ModelSummary } from "../../domain/model"
import type { MemoryFootprint } from "../../domain/device"
import type { ModelSettings } from "../../domain/settings"
import type { XllmError } from "../../errors/base"
import type { UnloadReason } from "../observer"
import { NO_MEMORY } from "./available-memory"
import type { Fit, Resident } from "./eviction"

/**
 * A worker that can be loaded, as the pool sees it. The pool's calls only begin something; the outcome comes later, as
 * a call of one of the pool's methods.
 */
export interface PoolMember {
  /** Unique; for decisions and logs. */
  readonly id: string
  readonly model: { readonly name: string } & Partial<Pick<ModelSummary, "sizeBytes" | "parts">>
  /** It is the n-th replica of its model, from 1. */
  readonly number: number
  /** The current ones. */
  readonly settings: ModelSettings
  /** Answered by `Pool.ready`, or by `Pool.ending` and `Pool.ended`. */
  load(fit: Fit): void
  /** Answered by `Pool.ended`. */
  unload(reason: UnloadReason): void
  /** It will not be loaded. */
  refuse(error: XllmError): void
  /** An additional replica does not fit at present; no request depends on it. */
  decline(): void
  /** It waits until others finish. */
  waits(): void
  /** While held, it starts no newly arriving requests: another one waits for its memory. */
  hold(held: boolean): void
}

/** What the pool knows of a member. */
export interface PoolEntry {
  readonly member: PoolMember
  state: "absent" | "wanted" | "loading" | "ready" | "ending"
  /** Requested again while it is stopping. */
  again: boolean
  /** Increases with each request for a worker. */
  order: number
  footprint: MemoryFootprint
  /** The part of the footprint that it takes only while it works, and has not taken yet. */
  reserved: MemoryFootprint
  active: boolean
  held: boolean
  /** It gets no more work, see `Pool.retire`. */
  retired: boolean
  lastUsedAt: number
  /** When it is unloaded unless used; `null`: never by time. */
  expiresAt: number | null
}

export function newEntry(member: PoolMember): PoolEntry {
  return {
    member,
    state: "absent",
    again: false,
    order: 0,
    footprint: NO_MEMORY,
    reserved: NO_MEMORY,
    active: false,
    held: false,
    retired: false,
    lastUsedAt: 0,
    expiresAt: null,
  }
}

export function isIdle(entry: PoolEntry): boolean {
  return entry.state === "ready" && !entry.active
}

/** Does it hold memory, or is it about to? */
export function isResident({ state }: PoolEntry): boolean {
  return state === "loading" || state === "ready" || state === "ending"
}

export function toResident(entry: PoolEntry): Resident {
  const { id, model, settings } = entry.member
  const { footprint, reserved, lastUsedAt, state, retired } = entry
  return {
    id,
    model: model.name,
    footprint,
    reserved,
    lastUsedAt,
    priority: settings.priority,
    pinned: settings.pinned && !retired,
    loading: state === "loading",
    ending: state === "ending",
    active: state === "loading" || entry.active,
  }
}
