import type { WireError } from "../errors/base"
import type { ImportanceOptions, QuantizeOptions } from "../domain/quantize"
import type { WorkerEnvironment } from "./messages"

/** What a job worker is asked to do, once; it exits afterwards. */
export type JobRequest =
  /** Does llama.cpp accept a model, with all of its tensors? No weights are read. */
  | { readonly type: "check"; readonly paths: readonly string[] }
  | {
      readonly type: "quantize"
      readonly source: string
      readonly target: string
      readonly options: QuantizeOptions
    }
  /** Makes an importance matrix with a text. */
  | {
      readonly type: "importance"
      readonly paths: readonly string[]
      readonly target: string
      readonly options: ImportanceOptions
    }

export type ToJobWorker = JobRequest & { readonly environment: WorkerEnvironment }

export type FromJobWorker =
  | { readonly type: "progress"; readonly done: number; readonly total: number }
  | { readonly type: "done" }
  /** llama.cpp refused, and logged why. */
  | { readonly type: "refused" }
  | { readonly type: "job-failed"; readonly error: WireError }
