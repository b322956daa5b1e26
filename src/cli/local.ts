import { join } from "node:path"
import type { Inputs } from "../config/load"
import { findPaths } from "../config/paths"
import { modelsFolder, settingsOfModel } from "../config/settings"
import { createEngine, type Engine } from "../engine"
import type { Logger } from "../log/logger"
import { createStore } from "../store"
import type { Store } from "../store/contract"

export interface LocalOptions {
  readonly inputs: Inputs
  readonly log: Logger
  readonly queueLimit?: number
}

/** The models of this machine and an engine for them; nothing is started before it is needed. */
export function createLocal({ inputs, log, queueLimit }: LocalOptions): {
  store: Store
  engine: Engine
} {
  const store = createStore({ modelsFolder: modelsFolder(inputs) })
  const engine = createEngine({
    store,
    settingsOf: (model) => settingsOfModel(inputs, model),
    useGpu: settingsOfModel(inputs, "").gpuLayers !== 0,
    runtimeFolder: findPaths(inputs.environment).runtime,
    workerCommand,
    log,
    ...(queueLimit !== undefined && { queueLimit }),
  })
  return { store, engine }
}

/** This program again, as a worker; the executable is all of it, in development bun needs the entry's path. */
function workerCommand(kind: string): readonly string[] {
  const program = Bun.isStandaloneExecutable ? [] : [join(import.meta.dir, "../index.ts")]
  return [process.execPath, ...program, "worker", kind]
}
