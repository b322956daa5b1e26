import type { Settings } from "../../config/resolve"
import type { SamplingParameters } from "../../domain/chat"
import type { ModelDetails } from "../../domain/model"
import { kvCellBytes } from "../../engine/residency/estimate"
import { q8Saving } from "../../formats/kv-layout"
import { recommendedSampling, SAMPLING_DEFAULTS } from "../../formats/sampling-defaults"
import { formatBytes } from "../terminal/output"
import { usableContext } from "./usable-context"

/** The effective value of a model's setting or parameter. */
export interface EffectiveValue {
  readonly name: string
  readonly shown: string
  /** `set by --ctx`, `set in FILE`, `Modelfile`, `GGUF` or `built in`. */
  readonly from: string
}

/** Parameters whose names in requests and Modelfiles differ from their fields. */
const NAMES: Readonly<Partial<Record<keyof SamplingParameters, string>>> = {
  dynamicTemperatureRange: "dynatemp_range",
  dynamicTemperatureExponent: "dynatemp_exponent",
}

/** The settings that a model is loaded with, and the sampling defaults of its requests. */
export function effectiveValues(settings: Settings, details: ModelDetails): readonly EffectiveValue[] {
  const explained = settings.explainModel(details)
  if (details.kind !== "text") return explained
  const { stop, maxTokens } = details.defaults ?? {}
  return [
    ...explained.map((one) => (one.name === "ctx" ? withLength(one, settings, details) : one)),
    ...cacheSize(settings, details),
    // The table's own keys.
    ...(Object.keys(SAMPLING_DEFAULTS) as (keyof SamplingParameters)[]).map((field) =>
      sampled(field, details),
    ),
    maxTokens === undefined
      ? builtIn("num_predict", "until the context is full")
      : brought("num_predict", maxTokens),
    stop === undefined ? builtIn("stop", "none") : brought("stop", stop),
  ]
}

/** An automatic context with its length here. */
function withLength(ctx: EffectiveValue, settings: Settings, details: TextDetails): EffectiveValue {
  if (settings.ofModel(details).contextLength !== null) return ctx
  const context = usableContext(details, settings)
  if (context === undefined) return ctx
  const { length, explanation = "as trained" } = context
  return { ...ctx, shown: `${ctx.shown} (${length}, ${explanation})` }
}

/** The memory that a token takes, and with quantized values; nothing for a model without a cache per token. */
function cacheSize(settings: Settings, details: TextDetails): readonly EffectiveValue[] {
  const usual = settings.ofModel(details)
  const bytes = kvCellBytes(details, usual)
  if (bytes === 0) return []
  const smaller = kvCellBytes(details, { ...usual, kvTypeK: "q8_0", kvTypeV: "q8_0" })
  const percent = Math.round(100 * q8Saving(usual))
  const saving = percent === 0 ? "" : `; q8_0 for both would take ${formatBytes(smaller)} (${percent} % less)`
  const from = `cache_type_k and cache_type_v${saving}`
  return [{ name: "kv_cache", shown: `${formatBytes(bytes)} per token`, from }]
}

type TextDetails = Extract<ModelDetails, { readonly kind: "text" }>

function sampled(field: keyof SamplingParameters, { defaults, metadata }: TextDetails): EffectiveValue {
  const name = NAMES[field] ?? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const inModelfile = defaults?.sampling?.[field]
  if (inModelfile !== undefined) return brought(name, inModelfile)
  const inFile = recommendedSampling((key) => metadata[key]?.toString())[field]
  if (inFile !== undefined) return { name, shown: shown(inFile), from: "GGUF" }
  return builtIn(name, shown(SAMPLING_DEFAULTS[field]))
}

function brought(name: string, value: unknown): EffectiveValue {
  return { name, shown: shown(value), from: "Modelfile" }
}

function builtIn(name: string, value: string): EffectiveValue {
  return { name, shown: value, from: "built in" }
}

function shown(value: unknown): string {
  if (value === null) return "random"
  if (Array.isArray(value))
    return value.length === 0 ? "none" : value.map((one) => JSON.stringify(one)).join(" ")
  return typeof value === "number" ? String(Number(value.toPrecision(7))) : String(value)
}
