import { join } from "node:path"
import type { Environment } from "../config/environment"
import { findPaths } from "../config/paths"
import type { modelSettings, storeSettings } from "../config/schema"
import { modelsFolder, textModelSettings } from "../config/settings"
import { createEngine, type Engine } from "../engine"
import type { Logger } from "../log/logger"
import { createStore } from "../store"
import type { Store } from "../store/contract"
import type { FlagValues } from "./flags"

export interface LocalOptions {
  readonly flags: FlagValues<typeof modelSettings & typeof storeSettings>
  readonly environment: Environment
  readonly log: Logger
  readonly queueLimit?: number
}

/** The models of this machine and an engine for them; nothing is started before it is needed. */
export function createLocal({ flags, environment, log, queueLimit }: LocalOptions): {
  store: Store
  engine: Engine
} {
  const store = createStore({ modelsFolder: modelsFolder(flags, environment) })
  const engine = createEngine({
    store,
    settings: textModelSettings(flags, environment),
    runtimeFolder: findPaths(environment).runtime,
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
