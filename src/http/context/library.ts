import type { JobRunner } from "../../convert/output"
import type { ModelSummary } from "../../domain/model"
import type { Store } from "../../store/contract"
import type { PullEvent } from "../../store/pull/events"

/** The models on disk, for routes that change them. */
export interface ModelLibrary {
  readonly store: Store
  /** Runs llama.cpp's code, for quantizing; absent: that is not possible. */
  readonly runJob?: JobRunner
  /**
   * Downloads a model by name; pulls of one model at the same time share the download.
   * @throws as `Puller.pull`; ModelNotFound for hosts that the server's owner has not enabled
   */
  pull(model: string, options: LibraryPullOptions): Promise<ModelSummary>
  /** Asks the sources of models; models without one are left out. */
  checkUpdates(models: readonly string[], signal: AbortSignal): Promise<UpdateCheck>
}

/** Whether a model's source has a newer version. */
export type UpdateCheck = ReadonlyMap<string, "available" | "current" | "unknown">

export interface LibraryPullOptions {
  /** Allow plain HTTP and untrusted certificates. */
  readonly isInsecure: boolean
  readonly signal: AbortSignal
  readonly onEvent: (event: PullEvent) => void
}
