import type { ConfigValue } from "./values"

/**
 * One setting. Its key in a table gives the flag (`gpuLayers` → `--gpu-layers`) and a variable (`XLLM_GPU_LAYERS`),
 * its path the place in a configuration file (`defaults.gpu_layers`) and another variable
 * (`XLLM_DEFAULTS_GPU_LAYERS`).
 */
export interface Setting<T> {
  readonly path: string
  readonly value: ConfigValue<T>
  readonly fallback: T
  readonly description: string
  /**
   * When a new value takes effect in a running server: at once, at a model's next load, or (absent) after a
   * restart.
   */
  readonly takesEffect?: "now" | "load"
  /** Its value is never shown. */
  readonly isSecret?: boolean
  /** A variable in addition to those of the key and the path. */
  readonly variable?: string
  /** Its flag once more: `md` for `-md`. */
  readonly short?: string
}

type SettingOptions = Pick<Setting<unknown>, "takesEffect" | "isSecret" | "variable" | "short">

export function setting<T>(
  path: string,
  value: ConfigValue<T>,
  fallback: NoInfer<T>,
  description: string,
  options: SettingOptions = {},
): Setting<T> {
  return { path, value, fallback, description, ...options }
}

export const LIVE: SettingOptions = { takesEffect: "now" }

export const AT_LOAD: SettingOptions = { takesEffect: "load" }
