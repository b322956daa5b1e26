import type { Engine } from "./contract"
import { LocalEngine, type EngineOptions } from "./local-engine"

export type { Engine } from "./contract"

/** An engine that runs models in worker processes. It starts none before one is needed. */
export function createEngine(options: EngineOptions): Engine {
  return new LocalEngine(options)
}
