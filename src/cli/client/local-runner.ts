import type { Settings } from "../../config/resolve"
import { modelSettings } from "../../config/sections/model"
import type { ModelSettings } from "../../domain/settings"
import { createLogger } from "../../log/logger"
import { nameOf } from "../args/model-path"
import { fromOf } from "../models/save-model"
import { createLocal, liveOptions } from "../serve/compose"
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
    find: (model) => nameOf(model, store),
    fromOf: (model) => fromOf(model, store),
    openStore: async () => store,
    async setContextLength(tokens, model) {
      contextLength = tokens
      engine.reconfigure({ settingsOf: liveOptions(settings, adapt).settingsOf })
      await engine.stop(model)
    },
  }
}
