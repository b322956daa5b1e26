import type { ManagedEngine } from "./contract"
import { LocalEngine, type EngineOptions } from "./local-engine"

export type { Engine, ManagedEngine } from "./contract"

/** An engine that runs models in worker processes. It starts none before one is needed. */
export function createEngine(options: EngineOptions): ManagedEngine {
  return new LocalEngine(options)
}
