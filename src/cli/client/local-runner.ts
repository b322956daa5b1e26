import type { Settings } from "../../config/resolve"
import { modelSettings } from "../../config/sections/model"
import type { ModelSettings } from "../../domain/settings"
import { createLogger } from "../../log/logger"
import { isPath, nameOf } from "../args/model-path"
import { fromOf } from "../models/save-model"
import { checkAdaptersOf, createLocal, liveOptions } from "../serve/compose"
import { ModelNotFound } from "../../errors/model"
import type { Store } from "../../store/contract"
import type { ModelRunner } from "./runner"

/** This machine's models, run in this process for a single user with one model. */
export async function startLocalRunner(settings: Settings): Promise<ModelRunner> {
  const { logFormat, logLevel } = settings.quietLog
  const log = createLogger({ level: logLevel, ...(logFormat !== null && { format: logFormat }) })
  // A single user has one conversation: a KV cache for more would only cost time and memory.
  const { slots } = settings.anyModel.origins
  const onlyOne = slots.source === "default"
  let contextLength: number | undefined
  const adapt = (usual: ModelSettings): ModelSettings => ({
    ...usual,
    keepAliveSeconds: null,
    replicas: 1,
    ...(onlyOne && usual.slots === modelSettings.slots.fallback && { slots: 1 }),
    ...(contextLength !== undefined && { contextLength }),
  })
  const { engine, store } = await createLocal({ settings, log, adapt })
  // Every load needs the devices, which another process finds while this one looks for the model. The load reports
  // what fails.
  engine.system().catch(() => {})
  return {
    backend: engine,
    async find(model) {
      const { name, adapter } = await withAdapterName(model, store)
      await checkAdaptersOf(name, store, settings.loras)
      if (adapter === undefined) return name
      const whole = `${name}@${adapter}`
      await engine.show(whole)
      return whole
    },
    fromOf: (model) => fromOf(model, store),
    openStore: async () => store,
    async setContextLength(tokens, model) {
      contextLength = tokens
      engine.reconfigure({ settingsOf: liveOptions(settings, adapt).settingsOf })
      await engine.stop(model)
    },
  }
}

/** The model that a user refers to, with the adapter behind its name, if that is not part of it. */
async function withAdapterName(
  model: string,
  store: Store,
): Promise<{ readonly name: string; readonly adapter?: string }> {
  try {
    return { name: await nameOf(model, store) }
  } catch (error) {
    const at = model.lastIndexOf("@")
    if (!(error instanceof ModelNotFound) || isPath(model) || at <= 0) throw error
    return { name: await nameOf(model.slice(0, at), store), adapter: model.slice(at + 1) }
  }
}
