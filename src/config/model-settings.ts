import type { ModelSummary } from "../domain/model"
import { MODEL_SETTINGS, type ModelSettings, type SettingRow } from "../domain/settings"
import { type Inputs, type Origin, resolveSetting, resolveSettings } from "./load"
import { findPaths } from "./paths"
import { type ModelProfile, readProfile } from "./profiles"
import { perModelSettings } from "./schema"
import { flaglessSettings } from "./sections/flagless"
import { profileSettings } from "./sections/model"
import type { Setting } from "./setting"

/** The model in question. */
export type Subject = Pick<ModelSummary, "name" | "defaults"> & Partial<Pick<ModelSummary, "id">>

type Field = keyof ModelSettings

/** A model setting's effective value, and its origin. */
interface ModelSetting {
  readonly field: Field
  readonly row: SettingRow
  readonly setting: Setting<unknown>
  readonly value: unknown
  readonly origin: Origin
}

/**
 * The settings of one model for the engine: flags, then variables, then the file, then the model's own defaults,
 * then the built-in ones. @throws UsageError for a variable with an invalid value
 */
export function settingsOfModel(inputs: Inputs, model: Subject): ModelSettings {
  const profile = profileOf(inputs, model)
  const values = resolveAll(inputs, model, profile).map(({ field, value }) => [field, value])
  const costs = profile?.batchCosts ?? []
  // Built row by row from the table that defines the type.
  return { ...(Object.fromEntries(values) as ModelSettings), ...(costs.length > 0 && { batchCosts: costs }) }
}

/** A model setting in displayable form. */
export interface EffectiveModelSetting {
  /** Its name in a file, without the section: `gpu_layers`. */
  readonly name: string
  /** In the syntax of flags, variables and files. */
  readonly shown: string
  /** `set by --ctx`, `set by XLLM_CTX`, `set in FILE`, `Modelfile`, `profile` or `built in`. */
  readonly from: string
}

/**
 * The settings of one model, with the origin of each value. @throws UsageError for a variable with an invalid value
 */
export function effectiveModelSettings(inputs: Inputs, model: Subject): readonly EffectiveModelSetting[] {
  return resolveAll(inputs, model, profileOf(inputs, model)).map(({ row, setting, value, origin }) => ({
    name: row.name,
    shown: setting.value.show(value),
    from: describeOrigin(origin),
  }))
}

function describeOrigin({ source, name }: Origin): string {
  switch (source) {
    case "flag":
    case "environment":
      return `set by ${name}`
    case "file":
      return `set in ${name}`
    case "model":
    case "profile":
      return name
    case "default":
      return "built in"
    default:
      return source satisfies never
  }
}

const ROWS = Object.entries<SettingRow>(MODEL_SETTINGS)
const settingsByFlag: Readonly<Record<string, Setting<unknown>>> = perModelSettings

/** What was measured of the model; undefined where nothing was, or that is not to be used. */
function profileOf(inputs: Inputs, { id }: Subject): ModelProfile | undefined {
  return id === undefined || !usesProfiles(inputs)
    ? undefined
    : readProfile(findPaths(inputs.environment), id)
}

export function usesProfiles(inputs: Inputs): boolean {
  return resolveSettings(profileSettings, inputs).values.profile
}

function resolveAll(
  inputs: Inputs,
  model: Subject,
  profile: ModelProfile | undefined,
): readonly ModelSetting[] {
  return ROWS.flatMap(([key, row]) => {
    // The table's own keys.
    const field = key as Field
    const setting = settingsByFlag[row.flag]
    if (setting === undefined) return []
    const chosen = resolve(inputs, row, setting, model.name)
    const brought = model.defaults?.settings?.[field]
    if (chosen.origin.source !== "default") return { field, row, setting, ...chosen }
    if (brought !== undefined)
      return { field, row, setting, value: brought, origin: { source: "model", name: "Modelfile" } }
    const measured = profile && measuredValue(profile, row, setting)
    return measured === undefined
      ? { field, row, setting, ...chosen }
      : { field, row, setting, value: measured, origin: PROFILE }
  })
}

export const PROFILE = { source: "profile", name: "profile" } as const satisfies Origin

/** The value that was measured to be best; undefined for none, and for one that is no longer allowed. */
export function measuredValue(
  { settings }: ModelProfile,
  { name }: Pick<SettingRow, "name">,
  setting: Setting<unknown>,
): unknown {
  const given = settings.get(name)
  if (given === undefined) return undefined
  try {
    return setting.value.read(given, "profile")
  } catch {
    return undefined
  }
}

/** Where a setting is automatic, its server-wide counterpart counts, if it has one. */
function resolve(
  inputs: Inputs,
  { flag, serverWide }: SettingRow,
  setting: Setting<unknown>,
  model: string,
): Pick<ModelSetting, "value" | "origin"> {
  const chosen = resolveSetting(flag, setting, inputs, model)
  if (serverWide === undefined || chosen.value !== null) return chosen
  return resolveSetting(serverWide, flaglessSettings[serverWide], inputs)
}
