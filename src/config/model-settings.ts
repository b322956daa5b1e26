import type { ModelSummary } from "../domain/model"
import { MODEL_SETTINGS, type ModelSettings, type SettingRow } from "../domain/settings"
import { type Inputs, type Origin, resolveSetting } from "./load"
import { perModelSettings } from "./schema"
import { flaglessSettings } from "./sections/flagless"
import type { Setting } from "./setting"

/** The model in question. */
export type Subject = Pick<ModelSummary, "name" | "defaults">

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
  const values = resolveAll(inputs, model).map(({ field, value }) => [field, value])
  // Built row by row from the table that defines the type.
  return Object.fromEntries(values) as ModelSettings
}

/** A model setting in displayable form. */
export interface EffectiveModelSetting {
  /** Its name in a file, without the section: `gpu_layers`. */
  readonly name: string
  /** In the syntax of flags, variables and files. */
  readonly shown: string
  /** `set by --ctx`, `set by XLLM_CTX`, `set in FILE`, `Modelfile` or `built in`. */
  readonly from: string
}

/**
 * The settings of one model, with the origin of each value. @throws UsageError for a variable with an invalid value
 */
export function effectiveModelSettings(inputs: Inputs, model: Subject): readonly EffectiveModelSetting[] {
  return resolveAll(inputs, model).map(({ row, setting, value, origin }) => ({
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
      return name
    case "default":
      return "built in"
    default:
      return source satisfies never
  }
}

const ROWS = Object.entries<SettingRow>(MODEL_SETTINGS)
const settingsByFlag: Readonly<Record<string, Setting<unknown>>> = perModelSettings

function resolveAll(inputs: Inputs, model: Subject): readonly ModelSetting[] {
  return ROWS.flatMap(([key, row]) => {
    // The table's own keys.
    const field = key as Field
    const setting = settingsByFlag[row.flag]
    if (setting === undefined) return []
    const chosen = resolve(inputs, row, setting, model.name)
    const brought = model.defaults?.settings?.[field]
    return chosen.origin.source === "default" && brought !== undefined
      ? { field, row, setting, value: brought, origin: { source: "model", name: "Modelfile" } }
      : { field, row, setting, ...chosen }
  })
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
