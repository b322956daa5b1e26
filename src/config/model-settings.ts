import type { ModelSummary } from "../domain/model"
import type { ModelSettings } from "../domain/settings"
import { type Inputs, type Origin, resolveSetting } from "./load"
import { perModelSettings } from "./schema"
import { flaglessSettings } from "./sections/flagless"
import type { Setting } from "./setting"

type Key = keyof typeof perModelSettings

/** The model in question. */
type Subject = Pick<ModelSummary, "name" | "defaults">

/** The engine's field for each setting of a model. */
const FIELDS = {
  ctx: "contextLength",
  slots: "slots",
  threads: "decodeThreads",
  threadsBatch: "prefillThreads",
  gpuLayers: "gpuLayers",
  splitMode: "splitMode",
  tensorSplit: "tensorSplit",
  device: "devices",
  cacheTypeK: "kvTypeK",
  cacheTypeV: "kvTypeV",
  kv: "kvLayout",
  kvCells: "kvCells",
  flashAttn: "flashAttention",
  mmap: "memoryMap",
  mlock: "memoryLock",
  priority: "priority",
  pinned: "pinned",
  keepAlive: "keepAliveSeconds",
  stepTimeout: "stepTimeoutSeconds",
  replicas: "replicas",
  preload: "preload",
} as const satisfies Record<Key, keyof ModelSettings>

/** A model setting's effective value, and its origin. */
interface ModelSetting {
  readonly key: Key
  readonly value: unknown
  readonly origin: Origin
}

/**
 * The settings of one model for the engine: flags, then variables, then the file, then the model's own defaults,
 * then the built-in ones. @throws UsageError for a variable with an invalid value
 */
export function settingsOfModel(inputs: Inputs, model: Subject): ModelSettings {
  const values = resolveAll(inputs, model).map(({ key, value }) => [FIELDS[key], value])
  // Every field is in the table, and its setting parses the field's type.
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
  return resolveAll(inputs, model).map(({ key, value, origin }) => {
    const setting: Setting<unknown> = perModelSettings[key]
    return {
      name: setting.path.replace(/^defaults\./, ""),
      shown: setting.value.show(value),
      from: describeOrigin(origin),
    }
  })
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

function resolveAll(inputs: Inputs, model: Subject): readonly ModelSetting[] {
  return Object.entries<Setting<unknown>>(perModelSettings).map(([name, setting]) => {
    // The table's own keys.
    const key = name as Key
    const said = resolve(inputs, key, setting, model.name)
    const brought = model.defaults?.settings?.[FIELDS[key]]
    return said.origin.source === "default" && brought !== undefined
      ? { key, value: brought, origin: { source: "model", name: "Modelfile" } }
      : { key, ...said }
  })
}

/** Where the way GPUs share models is not set, the server's own setting counts. */
function resolve(
  inputs: Inputs,
  key: Key,
  setting: Setting<unknown>,
  model: string,
): Omit<ModelSetting, "key"> {
  const said = resolveSetting(key, setting, inputs, model)
  if (key !== "splitMode" || said.value !== null) return said
  return resolveSetting("gpuSplitMode", flaglessSettings.gpuSplitMode, inputs)
}
