import type { GenerationEvent, GenerationRequest } from "../domain/chat"
import type { BatchCost } from "../domain/batch-cost"
import type { AttachedPart } from "../domain/attached-parts"
import type { Device, MemoryFootprint } from "../domain/device"
import type { DiskUsage, LoadedModelInfo, StepUsage, WorkerCounters } from "../domain/loaded-model"
import type { ModelKind } from "../domain/model"
import type { KvLayout, KvPlan, TextModelSettings } from "../domain/settings"
import type { WorkEvent, WorkRequest } from "../domain/tasks"
import type { SlotRequest, SlotResult } from "../domain/slots"
import type { TokensRequest, TokensResult } from "../domain/tokens"
import type { WireError } from "../errors/base"
import type { WireEvents, WireRendered, WireRequest } from "./wire"

/** Both sides run from the same executable; a difference means that two versions are mixed. */
export const PROTOCOL_VERSION = 7

/** The paths of the native libraries, and the parent process. The first message to every worker. */
export interface WorkerEnvironment {
  readonly protocol: typeof PROTOCOL_VERSION
  /** Folder of extracted native components (`~/.xllm/runtime`). */
  readonly runtimeFolder: string
  /** The worker exits when this process does. */
  readonly parentPid: number
}

/** The model that a worker loads. */
export interface WorkerModel {
  readonly name: string
  /** Of this version. */
  readonly id: string
  readonly kind: ModelKind
  /** A file or a folder. */
  readonly path: string
  /**
   * A folder for files derived from this version of the model, which can be made again; it may not exist yet.
   */
  readonly derivedFolder: string
  /** The model's defaults, see `encodeDefaults`. */
  readonly defaults?: string
  /** The files attached to its weights; absent: none. */
  readonly parts?: readonly AttachedPart[]
}

/** Server → worker; `R` is the type of request that the model takes. */
export type ToWorker<R extends WorkRequest> =
  | {
      readonly type: "load"
      readonly environment: WorkerEnvironment
      readonly model: WorkerModel
      readonly settings: TextModelSettings
      /** Only to a text worker, and always to one: it checks the plan and makes that cache, whatever `settings` leave open. */
      readonly kv?: KvPlan
      /** Text workers only: what batches of the model cost, if that was measured before. */
      readonly batchCosts?: readonly BatchCost[]
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
   * The client disconnected. No further events of `id` are sent. The next `generate` may arrive before the
   * current step, which still computes `id`, has ended; it then waits for that step.
   */
  | { readonly type: "cancel"; readonly id: number }
  /** Text workers only. */
  | { readonly type: "render"; readonly id: number; readonly request: WireRequest<GenerationRequest> }
  /** Text and embedding workers only. Answered by `tokens`, or `render-failed`. */
  | { readonly type: "tokens"; readonly id: number; readonly request: TokensRequest }
  /** Text workers only. Answered by `slot`, or `render-failed`; `cancel` ends it while it waits for its slot. */
  | { readonly type: "slot"; readonly id: number; readonly request: SlotRequest }
  /**
   * The answer to a `memory-request`. What is granted counts as taken until the worker's next `footprint`. After a `no`
   * the worker asks again after five seconds at the earliest.
   */
  | { readonly type: "memory-answer"; readonly id: number; readonly granted: MemoryGrant }
  /** To end itself. `saveMs`: for how long a text worker may write prompts to disk before. */
  | { readonly type: "stop"; readonly saveMs: number }

/** Which of the two amounts of a `memory-request` may be taken. */
export type MemoryGrant = "all" | "least" | "no"

/** The KV cache that a text worker has at present. */
export interface KvState {
  readonly layout: KvLayout
  /** Cells of the whole pool. */
  readonly cells: number
  readonly sequences: number
  readonly bytes: number
}

/** Worker → server. */
export type FromWorker<E extends WorkEvent> =
  | { readonly type: "ready"; readonly info: LoadedModelInfo }
  /** The load failed; the worker exits. */
  | { readonly type: "load-failed"; readonly error: WireError }
  /**
   * Sent after every step (a decode, a sentence, an audio window, a diffusion step), and whenever there are
   * events. While a request is open the worker sends at least one per step, even without events: the watchdog
   * uses it as a heartbeat.
   */
  | {
      readonly type: "step"
      readonly events: WireEvents<E>
      /** Text workers only. */
      readonly counters?: WorkerCounters
      /** Usage of the preceding step, if any. */
      readonly usage?: StepUsage
    }
  /** Text workers that keep prompts on disk: also after `stop`. */
  | { readonly type: "disk"; readonly usage: DiskUsage }
  /**
   * Asks for memory beyond its footprint, before it is allocated. At most one request is open at a time. `extra`: what
   * is needed at the peak; `least`: the same for a slower way that needs less, if there is one.
   */
  | {
      readonly type: "memory-request"
      readonly id: number
      readonly extra: MemoryFootprint
      readonly least?: MemoryFootprint
    }
  /**
   * The memory it holds by now, where that has changed since `ready`: work takes more than the load shows, and a KV
   * cache grows and shrinks. Ends what was granted, also where a growth failed. `kv`: text workers only.
   */
  | { readonly type: "footprint"; readonly footprint: MemoryFootprint; readonly kv?: KvState }
  | { readonly type: "rendered"; readonly id: number; readonly result: WireRendered }
  | { readonly type: "tokens"; readonly id: number; readonly result: TokensResult }
  | { readonly type: "slot"; readonly id: number; readonly result: SlotResult }
  | { readonly type: "render-failed"; readonly id: number; readonly error: WireError }

export type ToTextWorker = ToWorker<GenerationRequest>
export type FromTextWorker = FromWorker<GenerationEvent>

/** Server → probe worker: a short-lived process that lists the devices of the backends. */
export type ToProbeWorker = {
  readonly type: "probe"
  readonly environment: WorkerEnvironment
  readonly useGpu: boolean
}

/** Probe worker → server; the worker exits afterwards. */
export type FromProbeWorker =
  | {
      readonly type: "probed"
      readonly devices: readonly Device[]
      /** Version reported by llama.cpp's libraries. */
      readonly llamaVersion: string
      /** Why the GPU backend could not be loaded, if it failed. */
      readonly gpuFallback?: string
    }
  | { readonly type: "probe-failed"; readonly error: WireError }

/**
 * Workers write plain lines to stderr, and the shim writes frames from any thread. A frame is one line that
 * starts with {@link FRAME_START}: `\x1eL<level> <text>` for a log line of llama.cpp (levels as in ggml.h: 1
 * debug, 2 info, 3 warn, 4 error, 5 continuation), `\x1eP<fraction>` for load progress from 0 to 1, {@link
 * LOAD_MARK} when the load begins, after the backends were tried.
 */
export const FRAME_START = "\x1e"

/** See {@link FRAME_START}. */
export const LOAD_MARK = "B"
