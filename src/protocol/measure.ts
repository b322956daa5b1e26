import type { Device } from "../domain/device"
import type {
  LoadedForMeasuring,
  MeasuredContext,
  MeasuredMemory,
  TimedWork,
  WindowScores,
} from "../measure/work"
import type { TextModelSettings } from "../domain/settings"
import type { WireError } from "../errors/base"
import type { WorkerEnvironment, WorkerModel } from "./messages"

/** Command line → measuring worker. One at a time; each is answered before the next is sent. */
export type ToMeasureWorker =
  | {
      readonly type: "load"
      readonly environment: WorkerEnvironment
      /** The first is what others are compared with; one, or two. */
      readonly models: readonly { readonly model: WorkerModel; readonly settings: TextModelSettings }[]
    }
  | { readonly type: "time"; readonly context: MeasuredContext; readonly work: TimedWork }
  /** The memory of a context with so many cells. */
  | { readonly type: "context"; readonly context: MeasuredContext; readonly cells: number }
  /** Scores the windows of a text, in all models. */
  | {
      readonly type: "score"
      readonly context: MeasuredContext
      readonly text: string
      readonly windowTokens: number
    }

/** Measuring worker → command line. */
export type FromMeasureWorker =
  | {
      readonly type: "loaded"
      readonly models: readonly LoadedForMeasuring[]
      readonly loadMs: number
      readonly memory: MeasuredMemory
      readonly gpus: readonly Device[]
      /** Do all models divide texts into the same tokens? */
      readonly sameVocabulary: boolean
    }
  /** One repetition. */
  | { readonly type: "sample"; readonly nanoseconds: number }
  | {
      readonly type: "window"
      readonly index: number
      readonly windows: number
      readonly scores: readonly WindowScores[]
    }
  /** The end of `time`, `context` and `score`. */
  | { readonly type: "finished"; readonly memory: MeasuredMemory; readonly peakRamBytes: number }
  | { readonly type: "failed"; readonly error: WireError }
