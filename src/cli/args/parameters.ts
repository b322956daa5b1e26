import { decimal, integer, oneOf, text, type Value } from "../../config/values"
import type { OutputConstraint, ReasoningOptions, SamplingParameters } from "../../domain/chat"
import { UsageError } from "../../errors/cli"
import { modelfileParameters } from "../../formats/modelfile/parameters"
import { nearest } from "../../lib/text/nearest"
import { COUNTS, NUMBERS, SAMPLING, type SamplingNumber, TEXTS } from "../../limits"
import type { ManifestParameter } from "../../store/managed/manifest"
import type { Flag, FlagTable, FlagValues } from "./flags"

/** Options for generating an answer. Absent ones are left to the model and the defaults. */
export interface AnswerOptions {
  readonly sampling: Partial<SamplingParameters>
  /** `Infinity`: until the context is full. */
  readonly maxTokens?: number
  readonly minTokens: number
  readonly stop: readonly string[]
  /** How long the model stays loaded afterwards; `null`: for ever, absent: the model's own setting. */
  readonly keepAliveSeconds?: number | null
  /** Absent: any text. */
  readonly output?: OutputConstraint
  /** Absent: the model thinks if its template has that as the default. */
  readonly reasoning?: ReasoningOptions
}

const GROUP = "Generation"

function parameter<T>(value: Value<T>, description: string): Flag<T> & { readonly group: string } {
  return { value, description, group: GROUP }
}

function number(key: SamplingNumber): Value<number> {
  return decimal("X", SAMPLING[key].min, SAMPLING[key].max)
}

function count(key: SamplingNumber): Value<number> {
  return integer("N", SAMPLING[key].min, SAMPLING[key].max)
}

const samplingFlags = {
  temperature: parameter(number("temperature"), "sampling temperature; 0 = greedy"),
  topK: parameter(count("topK"), "top-k sampling: choose among the N most likely tokens; 0 = all"),
  topP: parameter(number("topP"), "nucleus sampling (top-p)"),
  minP: parameter(number("minP"), "min-p: drop tokens below this share of the top probability"),
  typicalP: parameter(number("typicalP"), "locally typical sampling; 1 = off"),
  topNSigma: parameter(
    number("topNSigma"),
    "top-n-sigma: drop tokens this many deviations below the best; -1 = off",
  ),
  repeatPenalty: parameter(number("repeatPenalty"), "penalty for tokens of the recent text; 1 = off"),
  repeatLastN: parameter(count("repeatLastN"), "how many tokens the penalties look back; -1 = all"),
  presencePenalty: parameter(number("presencePenalty"), "penalty for tokens that occurred already"),
  frequencyPenalty: parameter(number("frequencyPenalty"), "penalty per occurrence of a token"),
  xtcProbability: parameter(
    number("xtcProbability"),
    "XTC: how often to drop the most likely tokens; 0 = never",
  ),
  xtcThreshold: parameter(number("xtcThreshold"), "XTC: probability from which tokens are dropped"),
  dryMultiplier: parameter(number("dryMultiplier"), "DRY: penalty for repeated passages; 0 = off"),
  mirostatTau: parameter(number("mirostatTau"), "mirostat target entropy (tau)"),
  mirostatEta: parameter(number("mirostatEta"), "mirostat learning rate (eta)"),
} satisfies { readonly [K in SamplingNumber]?: Flag<number> }

const stopText = text("TEXT", TEXTS.stop)

/** All parameters: flags of `run`, and names for `/set parameter`. */
export const parameterFlags = {
  ...samplingFlags,
  mirostat: parameter(oneOf("0", "1", "2"), "mirostat version; 0 = off"),
  seed: parameter(integer("N", 0, 2 ** 32 - 1), "random seed, for repeatable answers"),
  maxTokens: parameter(
    integer("N", -1, NUMBERS.tokens.max),
    "max tokens of an answer; -1 = until the context is full",
  ),
  minTokens: parameter(integer("N", 0, NUMBERS.tokens.max), "min tokens of an answer"),
  stop: {
    ...parameter<readonly string[]>(
      { placeholder: "TEXT", parse: (given, origin) => [stopText.parse(given, origin)] },
      "stop sequence; may be repeated",
    ),
    combine: (earlier: readonly string[], later: readonly string[]) => {
      const all = [...earlier, ...later]
      const { maxItems } = COUNTS.stops
      if (all.length > maxItems) throw new UsageError(`stop must have at most ${maxItems} strings`)
      return all
    },
  },
} satisfies FlagTable

/** The parameters that were set. */
export type ParameterValues = FlagValues<typeof parameterFlags>

/** Converts parameters to request options. @throws UsageError where they contradict each other */
export function answerOptions(said: ParameterValues): AnswerOptions {
  const sampling: { -readonly [K in keyof SamplingParameters]?: SamplingParameters[K] } = {}
  for (const key of samplingKeys) {
    const value = said[key]
    if (value !== undefined) sampling[key] = value
  }
  if (said.mirostat !== undefined)
    sampling.mirostat = said.mirostat === "0" ? 0 : said.mirostat === "1" ? 1 : 2
  if (said.seed !== undefined) sampling.seed = said.seed
  const { maxTokens, minTokens = 0 } = said
  if (maxTokens !== undefined && maxTokens >= 0 && minTokens > maxTokens) {
    throw new UsageError(`min_tokens must be at most max_tokens (${maxTokens}), got ${minTokens}`)
  }
  return {
    sampling,
    ...(maxTokens !== undefined && { maxTokens: maxTokens < 0 ? Number.POSITIVE_INFINITY : maxTokens }),
    minTokens,
    stop: said.stop ?? [],
  }
}

// Object.keys loses the keys' types.
const samplingKeys = Object.keys(samplingFlags) as readonly (keyof typeof samplingFlags)[]

/** `topK` → `top_k`, the spelling of requests and `/set parameter`. */
export function parameterName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Parameter names from other programs. */
const otherNames: Readonly<Record<string, string>> = {
  num_predict: "max_tokens",
  n_predict: "max_tokens",
  temp: "temperature",
}

/**
 * Returns `said` with one parameter changed, for `/set parameter NAME VALUE…`.
 * @throws UsageError for an unknown name or an invalid value
 */
export function setParameter(
  said: ParameterValues,
  name: string,
  values: readonly string[],
): ParameterValues {
  const wanted = otherNames[name] ?? name
  const entry = Object.entries<Flag<unknown>>(parameterFlags).find(([key]) => parameterName(key) === wanted)
  if (entry === undefined) {
    const near = nearest(name, [...Object.keys(parameterFlags).map(parameterName), "num_ctx"])
    throw new UsageError(
      `unknown parameter '${name}'${near === undefined ? "" : `; did you mean '${near}'?`}`,
    )
  }
  const [key, flag] = entry
  if (values.length === 0)
    throw new UsageError(`${name} needs a value: /set parameter ${name} ${flag.value.placeholder}`)
  const parts = flag.combine === undefined ? [values.join(" ")] : values
  const parsed = parts.map((part) => flag.value.parse(part, name))
  const value = parsed.reduce((earlier, later) => flag.combine?.(earlier, later) ?? later)
  return { ...said, [key]: value }
}

/** Modelfile names that differ from those in requests. */
const modelfileNames: Readonly<Record<string, string>> = { max_tokens: "num_predict" }

/** Converts parameters to those of a Modelfile, and lists the names that Modelfiles do not have. */
export function modelfileParametersOf(said: ParameterValues): {
  readonly parameters: Readonly<Record<string, ManifestParameter>>
  readonly unknown: readonly string[]
} {
  const parameters: Record<string, ManifestParameter> = {}
  const unknown: string[] = []
  for (const [key, value] of Object.entries(said)) {
    const name = modelfileNames[parameterName(key)] ?? parameterName(key)
    if (Object.hasOwn(modelfileParameters, name)) parameters[name] = value
    else unknown.push(name)
  }
  return { parameters, unknown }
}

/** `name  value` rows for `/show parameters`. */
export function parameterRows(said: ParameterValues): readonly (readonly [string, string])[] {
  return Object.entries(said).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((one): [string, string] => [parameterName(key), shown(one)]),
  )
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}
