import type { Engine } from "../../engine/contract"
import type { Logger } from "../../log/logger"
import type { ModelLibrary } from "../context/library"
import type { CurrentSettings } from "../context/settings"

/** Shared by all routes of this dialect. */
export interface OllamaContext {
  readonly engine: Engine
  readonly settings: CurrentSettings
  readonly log: Logger
  /** Absent: models cannot be changed here. */
  readonly library: ModelLibrary | undefined
}
