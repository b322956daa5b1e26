import type {
  Device,
  GenerationEvent,
  GenerationRequest,
  LoadedModelInfo,
  RenderedPrompt,
  StepUsage,
  TextModelSettings,
  WorkerCounters,
} from "../domain"
import type { WireError } from "../errors"

/** Both sides run from the same executable; a difference means that somebody mixed two versions. */
export const PROTOCOL_VERSION = 1

/** Where a worker finds its native libraries, and who its parent is. First thing that any worker is told. */
export interface WorkerEnvironment {
  readonly protocol: typeof PROTOCOL_VERSION
  /** Folder for extracted native components (`~/.xllm/runtime`). */
  readonly runtimeFolder: string
  /** The worker ends when this process does. */
  readonly parentPid: number
}

/** Server → text worker. */
export type ToTextWorker =
  | {
      readonly type: "load"
      readonly environment: WorkerEnvironment
      readonly model: { readonly name: string; readonly path: string }
      readonly settings: TextModelSettings
      /** Milliseconds that a chat template may take. */
      readonly templateTimeoutMs: number
    }
  | {
      readonly type: "generate"
      readonly id: number
      readonly request: GenerationRequest
      readonly queueMs: number
      readonly loadMs: number
    }
  /** The client is gone. No further event of `id` is sent. */
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "render"; readonly id: number; readonly request: GenerationRequest }
  | { readonly type: "stop" }

/** One event of one request. */
export type RequestEvent =
  | { readonly id: number; readonly event: GenerationEvent }
  /** The request failed and is over. */
  | { readonly id: number; readonly error: WireError }

/** Text worker → server. */
export type FromTextWorker =
  | { readonly type: "ready"; readonly info: LoadedModelInfo }
  /** The load failed; the worker ends by itself. */
  | { readonly type: "load-failed"; readonly error: WireError }
  /**
   * Sent after every decode step, and whenever there is something to tell. While any request is open the worker
   * sends one at least every step, even without events: it is the sign of life that the watchdog waits for.
   */
  | {
      readonly type: "step"
      readonly events: readonly RequestEvent[]
      readonly counters: WorkerCounters
      /** Of the step before this message, where there was one. */
      readonly usage?: StepUsage
    }
  | { readonly type: "rendered"; readonly id: number; readonly result: RenderedPrompt }
  | { readonly type: "render-failed"; readonly id: number; readonly error: WireError }

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
 * 2 info, 3 warn, 4 error, 5 continuation), `\x1eP<fraction>` for load progress from 0 to 1.
 */
export const FRAME_START = "\x1e"
