import type { GenerationEvent, GenerationRequest } from "../domain/chat"
import type { Device } from "../domain/device"
import type { LoadedModelInfo, StepUsage, WorkerCounters } from "../domain/loaded-model"
import type { ModelKind } from "../domain/model"
import type { KvPlan, TextModelSettings } from "../domain/settings"
import type { WorkEvent, WorkRequest } from "../domain/tasks"
import type { WireError } from "../errors/base"
import type { WireEvents, WireRendered, WireRequest } from "./wire"

/** Both sides run from the same executable; a difference means that somebody mixed two versions. */
export const PROTOCOL_VERSION = 4

/** Where a worker finds its native libraries, and who its parent is. First thing that any worker is told. */
export interface WorkerEnvironment {
  readonly protocol: typeof PROTOCOL_VERSION
  /** Folder for extracted native components (`~/.xllm/runtime`). */
  readonly runtimeFolder: string
  /** The worker ends when this process does. */
  readonly parentPid: number
}

/** What a worker is to load. */
export interface WorkerModel {
  readonly name: string
  readonly kind: ModelKind
  /** A file, or a folder. */
  readonly path: string
  /** A folder of this version of the model alone, for what can be made from its files again; it may not exist yet. */
  readonly derivedFolder: string
  /** What comes along with it, see `encodeDefaults`. */
  readonly defaults?: string
}

/** Server → worker of a model that takes requests `R`. */
export type ToWorker<R extends WorkRequest> =
  | {
      readonly type: "load"
      readonly environment: WorkerEnvironment
      readonly model: WorkerModel
      readonly settings: TextModelSettings
      /** Only to a text worker, and always to one: it checks the plan and makes that cache, whatever `settings` leave open. */
      readonly kv?: KvPlan
      /** Milliseconds that a chat template may take. */
      readonly templateTimeoutMs: number
    }
  | {
      readonly type: "generate"
      readonly id: number
      readonly request: WireRequest<R>
      readonly queueMs: number
      readonly loadMs: number
    }
  /**
   * The client is gone. No further event of `id` is sent. The next `generate` may come before the step that is being
   * computed for it can end; it waits for that then.
   */
  | { readonly type: "cancel"; readonly id: number }
  /** Only to a text worker. */
  | { readonly type: "render"; readonly id: number; readonly request: WireRequest<GenerationRequest> }
  | { readonly type: "stop" }

/** Worker → server. */
export type FromWorker<E extends WorkEvent> =
  | { readonly type: "ready"; readonly info: LoadedModelInfo }
  /** The load failed; the worker ends by itself. */
  | { readonly type: "load-failed"; readonly error: WireError }
  /**
   * Sent after every step (a decode, a sentence, a window of audio, a step of diffusion), and whenever there is
   * something to tell. While any request is open the worker sends one at least every step, even without events: it is
   * the sign of life that the watchdog waits for.
   */
  | {
      readonly type: "step"
      readonly events: WireEvents<E>
      /** Of a text worker. */
      readonly counters?: WorkerCounters
      /** Of the step before this message, where there was one. */
      readonly usage?: StepUsage
    }
  | { readonly type: "rendered"; readonly id: number; readonly result: WireRendered }
  | { readonly type: "render-failed"; readonly id: number; readonly error: WireError }

export type ToTextWorker = ToWorker<GenerationRequest>
export type FromTextWorker = FromWorker<GenerationEvent>

/** Server → probe worker: a short-lived process that asks the backends for their devices. */
export type ToProbeWorker = {
  readonly type: "probe"
  readonly environment: WorkerEnvironment
  readonly useGpu: boolean
}

/** Probe worker → server, then it ends. */
export type FromProbeWorker =
  | {
      readonly type: "probed"
      readonly devices: readonly Device[]
      /** Version of llama.cpp's libraries, as they report it. */
      readonly llamaVersion: string
      /** Why the GPU backend could not be loaded, if so. */
      readonly gpuFallback?: string
    }
  | { readonly type: "probe-failed"; readonly error: WireError }

/**
 * Workers write to stderr: plain lines, and frames written by the shim from any thread. A frame is one line that
 * starts with {@link FRAME_START}: `\x1eL<level> <text>` for a log line of llama.cpp (levels as in ggml.h: 1 debug,
 * 2 info, 3 warn, 4 error, 5 continuation), `\x1eP<fraction>` for load progress from 0 to 1, {@link LOAD_MARK} where
 * the load begins after the backends were tried.
 */
export const FRAME_START = "\x1e"

/** See {@link FRAME_START}. */
export const LOAD_MARK = "B"
