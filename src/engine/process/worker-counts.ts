import type { DraftCounts, WorkerCounters } from "../../domain/loaded-model"
import type { EngineObserver, ObservedWorker } from "../observer"

/** Tells an observer by how much a worker's counters have risen. */
export function observeCounters(
  observer: EngineObserver | undefined,
  worker: ObservedWorker,
  before: WorkerCounters,
  now: WorkerCounters,
): void {
  const kvGrowths = now.kvGrowths - before.kvGrowths
  const adapters = {
    adapterSwitches: now.adapterSwitches - before.adapterSwitches,
    adapterLoads: now.adapterLoads - before.adapterLoads,
  }
  if (kvGrowths > 0) observer?.cacheGrown(worker, kvGrowths)
  if (now.drafts !== undefined && now.draftTokens > before.draftTokens)
    observer?.tokensDrafted(worker, gained(now.drafts, before.drafts))
  const media = {
    mediaEncoded: now.mediaEncoded - before.mediaEncoded,
    mediaEncodeMs: now.mediaEncodeMs - before.mediaEncodeMs,
  }
  if (media.mediaEncoded > 0) observer?.mediaEncoded(worker, media)
  if (adapters.adapterSwitches + adapters.adapterLoads > 0) observer?.adaptersUsed(worker, adapters)
}

function gained(now: DraftCounts, before: DraftCounts | undefined): DraftCounts {
  return {
    checked: now.checked.map((count, index) => count - (before?.checked[index] ?? 0)),
    accepted: now.accepted.map((count, index) => count - (before?.accepted[index] ?? 0)),
  }
}
