import type { ManagedEngine } from "./contract"
import { LocalEngine, type EngineOptions } from "./local-engine"

export type { ManagedEngine } from "./contract"

/** An engine that runs models in worker processes. None is started before it is needed. */
export function createEngine(options: EngineOptions): ManagedEngine {
  return new LocalEngine(options)
}
