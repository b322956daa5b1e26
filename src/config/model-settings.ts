import type { ModelSummary } from "../domain/model"
import type { ModelSettings } from "../domain/settings"
import { type Inputs, type Origin, resolveSetting } from "./load"
import { perModelSettings } from "./schema"
import { flaglessSettings } from "./sections/flagless"
import type { Setting } from "./setting"

type Key = keyof typeof perModelSettings

/** The model that is asked about. */
type Subject = Pick<ModelSummary, "name" | "defaults">

/** What the engine calls each setting of a model. */
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

/** A setting of a model as it counts, and why. */
interface ModelSetting {
  readonly key: Key
  readonly value: unknown
  readonly origin: Origin
}

/**
 * What one model is loaded with, as the engine takes it: flags, then variables, then the file, then what the model
 * brings along, then defaults. @throws UsageError for an impossible variable
 */
export function settingsOfModel(inputs: Inputs, model: Subject): ModelSettings {
  const values = resolveAll(inputs, model).map(({ key, value }) => [FIELDS[key], value])
  // Every field is in the table, and its setting parses what the field takes.
  return Object.fromEntries(values) as ModelSettings
}

/** A setting of a model as it may be shown. */
export interface EffectiveModelSetting {
  /** As a file says it, without the section: `gpu_layers`. */
  readonly name: string
  /** As a flag, a variable or a file would say it. */
  readonly shown: string
  /** `set by --ctx`, `set by XLLM_CTX`, `set in FILE`, `Modelfile` or `built in`. */
  readonly from: string
}

/** What one model is loaded with, and where each value comes from. @throws UsageError for an impossible variable */
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

/** Where nothing is said of how GPUs share models, the server's own setting counts. */
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
