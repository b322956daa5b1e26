import type { Engine } from "./contract"
import { LocalEngine, type EngineOptions } from "./local-engine"

export type { Engine, EngineStatus, SystemReport } from "./contract"
export { DEFAULT_LIMITS, DEFAULT_QUEUE_LIMIT, type EngineLimits } from "./limits"
export type { EngineOptions } from "./local-engine"

/** An engine that runs models in worker processes. It starts none before one is needed. */
export function createEngine(options: EngineOptions): Engine {
  return new LocalEngine(options)
}
