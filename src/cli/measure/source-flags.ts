import { connectionSettings } from "../../config/sections/server"
import { storeSettings } from "../../config/sections/pull"
import { configFlag, grouped } from "../args/flags"

/** Where measured models and servers are. */
export const sourceFlags = {
  ...grouped({ ...storeSettings, ...connectionSettings }, "Models and server"),
  ...configFlag,
}

/** Only those that the configuration knows: lists of threads, for one, are a command's own. */
export function settingsFlags(flags: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(flags).filter(([key]) => Object.hasOwn(sourceFlags, key)))
}
