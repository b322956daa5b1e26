import { MODEL_SETTINGS, type SettingRow } from "../domain/settings"
import { nearest } from "../lib/text/nearest"
import type { Environment } from "./environment"
import { findPaths } from "./paths"
import { measuredValue, PROFILE, usesProfiles } from "./model-settings"
import { readProfiles } from "./profiles"
import { type Inputs, modelPath, modelsOf, type Origin, resolveSetting, variablesOf } from "./load"
import { allSettings, perModelSettings } from "./schema"
import type { Setting } from "./setting"

/** A setting's effective value, and its origin. */
interface ResolvedSetting {
  readonly path: string
  readonly setting: Setting<unknown>
  readonly value: unknown
  readonly origin: Origin
}

/** A setting in displayable form. */
export interface EffectiveSetting {
  readonly path: string
  /** In the syntax of flags, variables and files. Never a secret. */
  readonly shown: string
  /** As JSON. */
  readonly value: unknown
  readonly origin: Origin
}

/** Every setting; those of models only where the file sets them. @throws UsageError */
export function effectiveSettings(inputs: Inputs): readonly EffectiveSetting[] {
  return resolveAll(inputs).map(({ path, setting, value, origin }) => {
    if (setting.isSecret) {
      const count = Array.isArray(value) ? value.length : value === null ? 0 : 1
      const shown = count === 0 ? "none" : `${count} not shown`
      return { path, shown, value: shown, origin }
    }
    const shown = setting.value.show(value)
    return { path, shown, value: asJson(value, shown), origin }
  })
}

/** `shown`: used where JSON has no equivalent. */
function asJson(value: unknown, shown: string): unknown {
  if (value instanceof Map) return Object.fromEntries(value)
  const isPlain = typeof value !== "object" || value === null || Array.isArray(value)
  return isPlain ? value : shown
}

/** A setting whose value has changed. */
export interface ChangedSetting {
  readonly path: string
  readonly takesEffect: Setting<unknown>["takesEffect"]
}

/** The settings that differ between two inputs. @throws UsageError */
export function changedSettings(before: Inputs, after: Inputs): readonly ChangedSetting[] {
  const [old, current] = [byPath(before), byPath(after)]
  const paths = [...new Set([...old.keys(), ...current.keys()])]
  return paths.flatMap((path) => {
    const [one, other] = [old.get(path), current.get(path)]
    if (Bun.deepEquals(one?.value, other?.value)) return []
    return [{ path, takesEffect: (one ?? other)?.setting.takesEffect }]
  })
}

function byPath(inputs: Inputs): ReadonlyMap<string, ResolvedSetting> {
  return new Map(resolveAll(inputs).map((resolved) => [resolved.path, resolved]))
}

function resolveAll(inputs: Inputs): readonly ResolvedSetting[] {
  const general = Object.entries<Setting<unknown>>(allSettings).map(([key, setting]) => ({
    path: setting.path,
    setting,
    ...resolveSetting(key, setting, inputs),
  }))
  return [
    ...general,
    ...modelsOf(inputs.file).flatMap((model) => resolveModel(model, inputs)),
    ...resolveProfiles(inputs),
  ]
}

/** What was measured of models, where nothing is set. */
function resolveProfiles(inputs: Inputs): readonly ResolvedSetting[] {
  if (!usesProfiles(inputs)) return []
  return readProfiles(findPaths(inputs.environment)).flatMap((profile) =>
    Object.values<SettingRow>(MODEL_SETTINGS).flatMap((row) => {
      const setting = settingsByFlag[row.flag]
      const value = setting && measuredValue(profile, row, setting)
      if (setting === undefined || value === undefined) return []
      if (resolveSetting(row.flag, setting, inputs, profile.model).origin.source !== "default") return []
      return [{ path: modelPath(profile.model, setting), setting, value, origin: PROFILE }]
    }),
  )
}

const settingsByFlag: Readonly<Record<string, Setting<unknown>>> = perModelSettings

function resolveModel(model: string, inputs: Inputs): readonly ResolvedSetting[] {
  return Object.entries<Setting<unknown>>(perModelSettings).flatMap(([key, setting]) => {
    const path = modelPath(model, setting)
    if (!inputs.file?.values.has(path)) return []
    return [{ path, setting, ...resolveSetting(key, setting, inputs, model) }]
  })
}

/** Variables other than settings: locations. */
const OTHER_VARIABLES = ["XLLM_HOME", "XLLM_CONFIG"]

/** One sentence for each unknown variable with our prefix. */
export function unknownVariables(environment: Environment): readonly string[] {
  const known = [
    ...OTHER_VARIABLES,
    ...Object.entries(allSettings).flatMap(([key, setting]) => variablesOf(key, setting)),
  ]
  return Object.keys(environment)
    .filter((name) => name.startsWith("XLLM_") && !known.includes(name))
    .map((name) => {
      const near = nearest(name, known)
      return `unknown environment variable ${name}${near === undefined ? "" : `; did you mean ${near}?`}`
    })
}
