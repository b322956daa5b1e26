import type { LoadedModel } from "../../domain/loaded-model"
import type { ModelSettings } from "../../domain/settings"
import type { Pool } from "../residency/pool"
import type { Replica } from "./replica"

export interface ReplicaFacts {
  readonly replica: Replica
  readonly settings: ModelSettings
  readonly pool: Pool
  readonly queuedRequests: number
  readonly lastUsedAt: Date | undefined
}

/** The public description of a worker; undefined while it has no process. */
export function describeReplica(facts: ReplicaFacts): LoadedModel | undefined {
  const { replica, settings, pool, queuedRequests, lastUsedAt } = facts
  const { model, state, info, plan, number, progress, pid, notes, runningCount, loadedAt, counters } = replica
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
    ...(footprint !== undefined && { footprint }),
    ...(plan !== undefined && { plan }),
    notes,
    ...(expires !== undefined && { expiresAt: toDate(expires) }),
    priority: settings.priority,
    pinned: settings.pinned,
    activeRequests: runningCount,
    queuedRequests,
    loadedAt,
    lastUsedAt,
    counters,
  }
}

/** Converts a `performance.now()` time to a date. */
function toDate(time: number | null): Date | null {
  return time === null ? null : new Date(Date.now() + time - performance.now())
}
