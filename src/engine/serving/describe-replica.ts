import type { MemoryFootprint } from "../../domain/device"
import type { LoadedModel, LoadedModelInfo } from "../../domain/loaded-model"
import type { ModelSettings } from "../../domain/settings"
import { type AvailableMemory, bytesOn } from "../residency/available-memory"
import type { Pool } from "../residency/pool"
import { roomToGrow, totalOf, within } from "../residency/room-to-grow"
import type { Replica } from "./replica"

export interface ReplicaFacts {
  readonly replica: Replica
  readonly settings: ModelSettings
  readonly pool: Pool
  /** All memory that could be available to it. */
  readonly mostAvailable: () => AvailableMemory
  readonly queuedRequests: number
  readonly lastUsedAt: Date | undefined
}

/** The public description of a worker; undefined while it has no process. */
export function describeReplica(facts: ReplicaFacts): LoadedModel | undefined {
  const { replica, settings, pool, queuedRequests, lastUsedAt } = facts
  const { model, state, info, loadState, number, progress, pid, running, loadedAt, counters } = replica
  const { plan, notes } = loadState
  if (state === undefined) return undefined
  const footprint = pool.footprintOf(replica)
  const expires = pool.expiresAt(replica)
  return {
    name: model.name,
    kind: model.kind,
    ...(settings.replicas > 1 && { replica: number }),
    id: model.id,
    state,
    progress,
    pid,
    info,
    sizeBytes: info === undefined ? 0 : info.modelBytes + (info.kind === "text" ? info.kvBytes : 0),
    ...(footprint !== undefined && { footprint, ...growthOf(footprint, info, facts.mostAvailable) }),
    ...(plan !== undefined && { plan: plan.plan }),
    notes,
    ...(expires !== undefined && { expiresAt: toDate(expires) }),
    priority: settings.priority,
    pinned: settings.pinned,
    activeRequests: running.size,
    queuedRequests,
    loadedAt,
    lastUsedAt,
    counters,
  }
}

/** How far it may grow: its KV cache, as far as memory allows. */
function growthOf(
  footprint: MemoryFootprint,
  info: LoadedModelInfo | undefined,
  mostAvailable: () => AvailableMemory,
): Pick<LoadedModel, "mostBytes"> {
  const wanted = roomToGrow(info)
  if (totalOf(wanted) === 0) return {}
  // What it has already is part of what it could have.
  const { systemBytes, gpus } = mostAvailable()
  const beside: AvailableMemory = {
    systemBytes: systemBytes - footprint.ramBytes,
    gpus: gpus.map((gpu) => ({ ...gpu, freeBytes: gpu.freeBytes - bytesOn(footprint, gpu.name) })),
  }
  return { mostBytes: totalOf(footprint) + totalOf(within(wanted, beside)) }
}

/** Converts a `performance.now()` time to a date. */
function toDate(time: number | null): Date | null {
  return time === null ? null : new Date(Date.now() + time - performance.now())
}
