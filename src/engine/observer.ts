import type { StepUsage } from "../domain/loaded-model"
import type { WorkEvent, WorkRequest } from "../domain/tasks"

/** One request, from the moment it stands in a queue. The same object in every call about it. */
export interface ObservedRequest {
  /** A model on disk: never a name that a client made up. */
  readonly model: string
  readonly kind: WorkRequest["kind"]
}

/** How a request ended, seen from the engine. `unserved`: it never started (queue timeout, failed load, shutdown). */
export type RequestOutcome =
  | Extract<WorkEvent, { readonly type: "done" }>
  | { readonly type: "cancelled" }
  | { readonly type: "failed"; readonly code: string }
  | { readonly type: "unserved"; readonly code: string }

/**
 * Why a model's worker was ended on purpose. `idle`: its keep-alive ran out. `memory`: another model needed the room,
 * or the place among the most models that may be loaded. `replaced`: its model is another one now, or was removed.
 * `stopped`: somebody asked for it. `shutdown`: the server ends.
 */
export type UnloadReason = "idle" | "memory" | "replaced" | "stopped" | "shutdown"

/** A worker process: the n-th replica of a model, from 1. */
export interface ObservedWorker {
  readonly model: string
  readonly replica: number
}

/**
 * Hears of everything that is counted, when it happens. Called on the path of every token, so implementations only
 * add numbers; they must not throw. What is a state and not an event (queues, memory) is read from
 * `Engine.status()` and `Engine.loaded()` instead.
 */
export interface EngineObserver {
  /** It runs at once or waits; `requestFinished` follows in any case, whatever happens in between. */
  requestQueued(request: ObservedRequest): void
  /** It has a slot. `queueMs`: waiting for the slot. `loadMs`: waiting for the model to load before that. */
  requestStarted(request: ObservedRequest, queueMs: number, loadMs: number): void
  /** The first text of its first choice, `ms` after it was queued. */
  firstToken(request: ObservedRequest, ms: number): void
  /** The first audio of what it has spoken, `ms` after it was queued. */
  firstAudio(request: ObservedRequest, ms: number): void
  /** More text of the same choice, `ms` after the last: `tokens` tokens came in that time. */
  nextTokens(request: ObservedRequest, tokens: number, ms: number): void
  /** Exactly once for each `requestQueued`. */
  requestFinished(request: ObservedRequest, outcome: RequestOutcome): void
  /** A request was turned away because the queue was full: no other call is made about it. */
  requestRefused(request: ObservedRequest): void
  modelLoading(worker: ObservedWorker): void
  /** `ms`: from the start of the process. */
  modelLoaded(worker: ObservedWorker, ms: number): void
  modelLoadFailed(worker: ObservedWorker, code: string): void
  /** `reason` `memory` is what is called an eviction. */
  modelUnloaded(worker: ObservedWorker, reason: UnloadReason): void
  /** A worker that was ready is gone, or was ended because it hung. */
  workerCrashed(worker: ObservedWorker): void
  /** After a decode step; not called where the worker does not report it. */
  step(worker: ObservedWorker, usage: StepUsage): void
}
