import type { Environment } from "./environment"
import type { Setting } from "./schema"

/** Settings by key. */
export type SettingTable = Readonly<Record<string, Setting<unknown>>>

/** What a table's settings are, once known. */
export type Values<T extends SettingTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never
}

/** Where a value was said, weakest first. A configuration file's place is before `environment`. */
export const sources = ["default", "environment", "flag"] as const
export type Source = (typeof sources)[number]

/** Values and where each came from. */
export interface Resolved<T extends SettingTable> {
  readonly values: Values<T>
  readonly sources: { readonly [K in keyof T]: Source }
}

/** `gpuLayers` → `gpu-layers` */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `gpuLayers` → `XLLM_GPU_LAYERS` */
export function variableName(key: string): string {
  return `XLLM_${flagName(key).replaceAll("-", "_").toUpperCase()}`
}

/**
 * Every setting's strongest value: flags, then environment variables, then defaults. An empty variable counts as
 * not set.
 * @param flags parsed already; absent where the flag was not given
 * @throws UsageError naming the variable that has an impossible value
 */
export function resolveSettings<T extends SettingTable>(
  table: T,
  flags: { readonly [K in keyof T]?: unknown },
  environment: Environment,
): Resolved<T> {
  const values: Record<string, unknown> = {}
  const from: Record<string, Source> = {}
  for (const [key, setting] of Object.entries(table)) {
    const variable = variableName(key)
    const said = environment[variable]
    if (flags[key] !== undefined) {
      values[key] = flags[key]
      from[key] = "flag"
    } else if (said !== undefined && said !== "") {
      values[key] = setting.value.parse(said, variable)
      from[key] = "environment"
    } else {
      values[key] = setting.fallback
      from[key] = "default"
    }
  }
  // Built key by key from the same table that the types come from.
  return { values: values as Values<T>, sources: from as Resolved<T>["sources"] }
}
