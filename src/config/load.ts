import { aliasKey } from "../lib/aliases"
import type { Environment } from "./environment"
import type { ConfigFile } from "./file"
import type { Setting } from "./setting"

/** Settings by key. */
export type SettingTable = Readonly<Record<string, Setting<unknown>>>

/** The values of a table's settings. */
export type Values<T extends SettingTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never
}

/** The sources of settings. */
export interface Inputs {
  /** Already parsed, by the settings' keys; absent where a flag was not given. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Environment
  /** Absent: there is none. */
  readonly file?: ConfigFile
}

/** The sources of a value, weakest first. `profile`: what was measured on this machine; `model`: the model's own defaults. */
export const sources = ["default", "profile", "model", "file", "environment", "flag"] as const
export type SettingSource = (typeof sources)[number]

/** The source of a value: its kind, and its name, such as `XLLM_PORT`. */
export interface Origin {
  readonly source: SettingSource
  readonly name: string
}

/** Values with their origins. */
export interface Resolved<T extends SettingTable> {
  readonly values: Values<T>
  readonly origins: { readonly [K in keyof T]: Origin }
}

/** `gpuLayers` → `gpu-layers` */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `gpuLayers` → `XLLM_GPU_LAYERS` */
export function variableName(key: string): string {
  return `XLLM_${flagName(key).replaceAll("-", "_").toUpperCase()}`
}

/** Every variable of a setting; the first one set counts. */
export function variablesOf(key: string, { path, variable }: Setting<unknown>): readonly string[] {
  const ofPath = `XLLM_${path.replaceAll(".", "_").toUpperCase()}`
  return [...new Set([variableName(key), ofPath, ...(variable === undefined ? [] : [variable])])]
}

/**
 * Every setting's value from its strongest source: flags, then environment variables, then the file, then defaults.
 * An empty variable counts as unset.
 * @param model the file's settings of this model override those of all models; its name matches in any case, with
 * or without the tag `latest`
 * @throws UsageError naming a variable with an invalid value
 */
export function resolveSettings<T extends SettingTable>(
  table: T,
  inputs: Inputs,
  model?: string,
): Resolved<T> {
  const values: Record<string, unknown> = {}
  const origins: Record<string, Origin> = {}
  for (const [key, setting] of Object.entries(table)) {
    const { value, origin } = resolveSetting(key, setting, inputs, model)
    values[key] = value
    origins[key] = origin
  }
  // Built key by key from the table that defines the types.
  return { values: values as Values<T>, origins: origins as Resolved<T>["origins"] }
}

/** One setting of {@link resolveSettings}. */
export function resolveSetting(
  key: string,
  setting: Setting<unknown>,
  { flags, environment, file }: Inputs,
  model?: string,
): { readonly value: unknown; readonly origin: Origin } {
  const flag = flags[key]
  if (flag !== undefined) return { value: flag, origin: { source: "flag", name: `--${flagName(key)}` } }
  for (const name of variablesOf(key, setting)) {
    const said = environment[name]
    if (said !== undefined && said !== "") {
      return { value: setting.value.parse(said, name), origin: { source: "environment", name } }
    }
  }
  const names = model === undefined ? [] : namesInFile(model, file)
  const inFile = [...names.map((name) => modelPath(name, setting)), setting.path]
  const path = inFile.find((path) => file?.values.has(path))
  if (file === undefined || path === undefined) {
    return { value: setting.fallback, origin: { source: "default", name: "default" } }
  }
  return { value: file.values.get(path), origin: { source: "file", name: file.path } }
}

/** The spellings of a model's name in a file: as it is, without the tag `latest`, or both in another case. */
function namesInFile(model: string, file: ConfigFile | undefined): readonly string[] {
  const key = aliasKey(model)
  const others = modelsOf(file).filter((name) => aliasKey(name) === key)
  return [model, model.replace(/:latest$/, ""), ...others]
}

/** Models that a file has settings for. */
export function modelsOf(file: ConfigFile | undefined): readonly string[] {
  const names = [...(file?.values.keys() ?? [])].map((path) => /^models\.(.*)\.[^.]*$/.exec(path)?.[1])
  return [...new Set(names.filter((name) => name !== undefined))]
}

/** `defaults.ctx` → `models.NAME.ctx` */
export function modelPath(model: string, { path }: Setting<unknown>): string {
  return path.replace(/^defaults/, () => `models.${model}`)
}
