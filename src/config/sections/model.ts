import type { ValueOf } from "../../domain/setting-values"
import { LOAD_SETTINGS, RESIDENCY_SETTINGS, type SettingRow } from "../../domain/settings"
import { AT_LOAD, type Setting, setting } from "../setting"
import { configValue, toggle } from "../values"

type Rows = Readonly<Record<string, SettingRow>>

/** The settings of a table's rows, by their flags. */
type SettingsOfRows<T extends Rows> = {
  readonly [K in keyof T as T[K]["flag"]]: Setting<ValueOf<T[K]["values"]>>
}

function fromRows<T extends Rows>(rows: T): SettingsOfRows<T> {
  const settings = Object.values(rows).map(({ name, flag, values, fallback, help, takesEffect, short }) => [
    flag,
    // Each row's own type ensures that its fallback is one of its values.
    setting(`defaults.${name}`, configValue(values), fallback, help, {
      ...(takesEffect !== undefined && { takesEffect }),
      ...(short !== undefined && { short }),
    }),
  ])
  // Built row by row from the table that defines the types.
  return Object.fromEntries(settings) as SettingsOfRows<T>
}

/** Load settings of models. In a file, `models.NAME` sets them for one model, `defaults` for all. */
export const modelSettings = fromRows(LOAD_SETTINGS)

const { seed: _seed, ...withoutSeed } = modelSettings

/** Those that `run` has flags for: the seed is one of each request there. */
export const runSettings = withoutSeed

/** Whether models are loaded with what was measured of them on this machine. */
export const profileSettings = {
  profile: setting(
    "profile",
    toggle,
    true,
    "use what 'xllm profile' has measured where nothing is set (default); --no-profile does not",
    AT_LOAD,
  ),
}

/** How a server keeps models. Set in the same places as {@link modelSettings}. */
export const residencySettings = fromRows(RESIDENCY_SETTINGS)
