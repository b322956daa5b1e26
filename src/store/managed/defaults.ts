import type { SamplingParameters } from "../../domain/chat"
import type { ModelDefaults } from "../../domain/model"
import { MODEL_SETTINGS, type ModelSettings, type SettingRow } from "../../domain/settings"
import { GoTemplateFault } from "../../formats/go-template/fault"
import { translateGoTemplate } from "../../formats/go-template/translate"
import {
  keepAliveSeconds,
  modelfileParameters,
  type ParameterValue,
} from "../../formats/modelfile/parameters"
import { foldSeed } from "../../lib/fold-seed"
import { normalizeNewlines } from "../../lib/text/newlines"
import type { Manifest, ManifestParameter } from "./manifest"

/** Sampling parameters with the same meaning in Modelfiles, by their names there. */
export const SAMPLING_PARAMETERS = {
  temperature: "temperature",
  top_p: "topP",
  min_p: "minP",
  typical_p: "typicalP",
  repeat_last_n: "repeatLastN",
  repeat_penalty: "repeatPenalty",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
  top_n_sigma: "topNSigma",
  min_keep: "minKeep",
  xtc_probability: "xtcProbability",
  xtc_threshold: "xtcThreshold",
  dry_multiplier: "dryMultiplier",
  dry_base: "dryBase",
  dry_allowed_length: "dryAllowedLength",
  dry_penalty_last_n: "dryPenaltyLastN",
  dynatemp_range: "dynamicTemperatureRange",
  dynatemp_exponent: "dynamicTemperatureExponent",
} as const satisfies Readonly<Record<string, keyof SamplingParameters>>

/**
 * The defaults that come with an installed model. Unknown and invalid parameters, as registries may have them, are
 * ignored. Windows line endings become line feeds.
 */
export function defaultsOf(manifest: Manifest): ModelDefaults {
  const { template, note } = templateOf(manifest)
  const { messages = [] } = manifest
  const system = manifest.system === undefined ? undefined : normalizeNewlines(manifest.system)
  return {
    ...(template !== undefined && { template }),
    ...(system !== undefined && system !== "" && { system }),
    ...(messages.length > 0 && {
      messages: messages.map((message) => ({ ...message, content: normalizeNewlines(message.content) })),
    }),
    ...defaultsOfParameters(manifest.parameters),
    ...(note !== undefined && { notes: [note] }),
  }
}

/** The strength that a model's parameters set for its adapters. */
export function adapterScaleOf({ parameters }: Manifest): number | undefined {
  return new KnownParameters(parameters).number("adapter_scale")
}

/** The defaults that a Modelfile's parameters set. Unknown and invalid ones are ignored. */
export function defaultsOfParameters(
  given: Manifest["parameters"],
): Pick<ModelDefaults, "sampling" | "stop" | "maxTokens" | "settings"> {
  const parameters = new KnownParameters(given)
  const maxTokens = parameters.number("num_predict")
  const stop = stopsOf(given["stop"])
  const sampling = samplingOf(parameters)
  const settings = settingsOf(parameters)
  return {
    ...(Object.keys(sampling).length > 0 && { sampling }),
    ...(stop.length > 0 && { stop: stop.map(normalizeNewlines) }),
    ...(maxTokens !== undefined && maxTokens >= 0 && { maxTokens }),
    ...(Object.keys(settings).length > 0 && { settings }),
  }
}

/** The valid ones, up to the number that a model may have. */
function stopsOf(stop: ManifestParameter | undefined): readonly string[] {
  if (!Array.isArray(stop)) return []
  const rule = modelfileParameters["stop"]
  return stop.filter((text) => rule?.parse(text) !== undefined).slice(0, rule?.mostLines)
}

/** The template in Jinja; a note where the file's own one is used instead. */
function templateOf({ template, renderer, parser }: Manifest): {
  readonly template?: string
  readonly note?: string
} {
  if (renderer !== undefined || parser !== undefined) {
    const what = renderer === undefined ? `parser '${parser}'` : `renderer '${renderer}'`
    return { note: `its ${what} is not supported: using the chat template of its file` }
  }
  if (template === undefined || template.text.trim() === "") return {}
  if (template.syntax === "jinja") return { template: template.text }
  try {
    return { template: translateGoTemplate(normalizeNewlines(template.text)) }
  } catch (error) {
    if (!(error instanceof GoTemplateFault)) throw error
    return {
      note: `line ${error.line} of its template cannot be translated (${error.message}): using that of its file`,
    }
  }
}

/** Parameters whose values are valid in a Modelfile. */
class KnownParameters {
  readonly #values = new Map<string, ParameterValue>()

  constructor(parameters: Manifest["parameters"]) {
    for (const [name, value] of Object.entries(parameters)) {
      const rule = Object.hasOwn(modelfileParameters, name) ? modelfileParameters[name] : undefined
      const parsed = rule?.mostLines !== undefined ? undefined : rule?.parse(String(value))
      if (parsed !== undefined) this.#values.set(name, parsed)
    }
  }

  get(name: string): ParameterValue | undefined {
    return this.#values.get(name)
  }

  number(name: string): number | undefined {
    const value = this.#values.get(name)
    return typeof value === "number" ? value : undefined
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name)
    return typeof value === "boolean" ? value : undefined
  }
}

type Mutable<T> = { -readonly [K in keyof T]?: T[K] }

function samplingOf(parameters: KnownParameters): Partial<SamplingParameters> {
  const sampling: Mutable<SamplingParameters> = {}
  for (const [name, key] of Object.entries(SAMPLING_PARAMETERS)) {
    const value = parameters.number(name)
    if (value !== undefined) sampling[key] = value
  }
  const topK = parameters.number("top_k")
  if (topK !== undefined) sampling.topK = Math.max(0, topK)
  const seed = parameters.number("seed")
  if (seed !== undefined) sampling.seed = seed === -1 ? null : foldSeed(seed)
  const ignoreEos = parameters.flag("ignore_eos")
  if (ignoreEos !== undefined) sampling.ignoreEos = ignoreEos
  return sampling
}

/** Parameters that leave the choice to the program set nothing. */
function settingsOf(parameters: KnownParameters): Partial<ModelSettings> {
  const settings = Object.entries<SettingRow>(MODEL_SETTINGS).flatMap(([field, { modelfile, values }]) => {
    if (modelfile === undefined) return []
    const { name, shared = name, automatic } = modelfile
    const given = parameters.get(name) ?? parameters.get(shared)
    if (given === undefined || given === automatic) return []
    return [[field, values.kind === "stay" ? keepAliveSeconds(String(given)) : given]]
  })
  // The parameters' rules are derived from the rows that define the type.
  return Object.fromEntries(settings) as Partial<ModelSettings>
}
