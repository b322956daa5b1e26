import type { AdapterUsage, DiskUsage, DraftCounts, MediaUsage, StepUsage } from "../domain/loaded-model"
import type { WorkEvent, WorkRequest } from "../domain/tasks"

/** One request, from the moment it is queued. The same object in every call about it. */
export interface ObservedRequest {
  /** A model on disk: never a name made up by a client. */
  readonly model: string
  readonly kind: WorkRequest["kind"]
}

/**
 * How a request ended, from the engine's view. `unserved`: it never started (queue timeout, failed load, shutdown).
 */
export type RequestOutcome =
  | Extract<WorkEvent, { readonly type: "done" }>
  | { readonly type: "cancelled" }
  | { readonly type: "failed"; readonly code: string }
  | { readonly type: "unserved"; readonly code: string }

/**
 * Why a model's worker was ended on purpose. `idle`: its keep-alive ran out. `memory`: another model needed the
 * memory, or its place under the limit of loaded models. `replaced`: the model was replaced or removed. `stopped`:
 * on request. `shutdown`: the server is stopping.
 */
export type UnloadReason = "idle" | "memory" | "replaced" | "stopped" | "shutdown"

/** A worker process: the n-th replica of a model, from 1. */
export interface ObservedWorker {
  readonly model: string
  readonly replica: number
}

/**
 * Callbacks for metrics. They run on the path of every token, so implementations only add numbers; they must not
 * throw. States, as opposed to events (queues, memory), are read from `Engine.status()` and `Engine.loaded()`
 * instead.
 */
export interface EngineObserver {
  /** The request starts at once or waits; `requestFinished` always follows. */
  requestQueued(request: ObservedRequest): void
  /** It has a slot. `queueMs`: wait for the slot. `loadMs`: wait for the model to load before that. */
  requestStarted(request: ObservedRequest, queueMs: number, loadMs: number): void
  /** The first text of its first choice, `ms` after it was queued. */
  firstToken(request: ObservedRequest, ms: number): void
  /** The first audio, `ms` after it was queued. */
  firstAudio(request: ObservedRequest, ms: number): void
  /** More text of the same choice, `ms` after the previous text, with `tokens` tokens in it. */
  nextTokens(request: ObservedRequest, tokens: number, ms: number): void
  /** The model begins to call a tool, in any of the request's choices. */
  toolCall(request: ObservedRequest): void
  /** Called exactly once for each `requestQueued`. */
  requestFinished(request: ObservedRequest, outcome: RequestOutcome): void
  /** Refused because the queue was full: no other call is made about it. */
  requestRefused(request: ObservedRequest): void
  modelLoading(worker: ObservedWorker): void
  /** `ms`: since the start of the process. */
  modelLoaded(worker: ObservedWorker, ms: number): void
  modelLoadFailed(worker: ObservedWorker, code: string): void
  /** An unload with `reason` `memory` is an eviction. */
  modelUnloaded(worker: ObservedWorker, reason: UnloadReason): void
  /** A ready worker is gone, or was ended because it hung. */
  workerCrashed(worker: ObservedWorker): void
  /** After a decode step; not called for workers that do not report steps. */
  step(worker: ObservedWorker, usage: StepUsage): void
  /** Its KV cache was made larger, that many times since the last call. */
  cacheGrown(worker: ObservedWorker, times: number): void
  /** Guessed tokens that were checked since the last call. */
  tokensDrafted(worker: ObservedWorker, counts: DraftCounts): void
  /** What it did with adapters since the last call. */
  adaptersUsed(worker: ObservedWorker, usage: AdapterUsage): void
  /** What it encoded since the last call. */
  mediaEncoded(worker: ObservedWorker, usage: MediaUsage): void
  /** What a worker did with prompts on disk since the last call. */
  promptsOnDisk(worker: ObservedWorker, usage: DiskUsage): void
}
