import type { FailedModelBody, LoadedModelBody } from "./loaded-model"
import type { MemoriesBody } from "./memory"

/** GET /v0/ps */
export interface PsBody {
  readonly models: readonly LoadedModelBody[]
  readonly failed: readonly FailedModelBody[]
  readonly memory: MemoriesBody
}
