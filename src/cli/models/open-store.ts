import type { Settings } from "../../config/resolve"
import type { Logger } from "../../log/logger"
import type { Store } from "../../store/contract"

/** This machine's models, as configured. The store's modules are loaded only when needed. */
export async function openStore(settings: Settings, log?: Logger): Promise<Store> {
  const { createStore } = await import("../../store")
  const aliases = settings.aliases
  return createStore({
    modelsFolder: settings.modelsFolder,
    adaptersFolder: settings.paths.loras,
    aliases: () => aliases,
    ...(log !== undefined && { log }),
  })
}
