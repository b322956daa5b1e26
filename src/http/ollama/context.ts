import type { Engine } from "../../engine/contract"
import type { Logger } from "../../log/logger"
import type { ModelLibrary } from "../context/library"
import type { MediaContext } from "../read/media/media-intake"

/** Shared by all routes of this dialect. */
export interface OllamaContext extends MediaContext {
  readonly engine: Engine
  readonly log: Logger
  /** Absent: models cannot be changed here. */
  readonly library: ModelLibrary | undefined
}
