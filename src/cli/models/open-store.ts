import type { Inputs } from "../../config/load"
import { aliasesIn, modelsFolder } from "../../config/settings"
import type { Logger } from "../../log/logger"
import type { Store } from "../../store/contract"

/** This machine's models, as configured. The store's modules are loaded only when needed. */
export async function openStore(inputs: Inputs, log?: Logger): Promise<Store> {
  const { createStore } = await import("../../store")
  const aliases = aliasesIn(inputs)
  return createStore({
    modelsFolder: modelsFolder(inputs),
    aliases: () => aliases,
    ...(log !== undefined && { log }),
  })
}
