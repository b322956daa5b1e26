import { decimal, integer, oneOf, text, type Value } from "../../config/values"
import type { SamplingParameters } from "../../domain/chat"
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
  temperature: parameter(number("temperature"), "how free the choice of words is; 0: always the likeliest"),
  topK: parameter(count("topK"), "choose among the N likeliest tokens; 0: all"),
  topP: parameter(number("topP"), "choose among the likeliest tokens that make up this probability"),
  minP: parameter(number("minP"), "leave out tokens below this share of the likeliest one's probability"),
  typicalP: parameter(number("typicalP"), "locally typical sampling; 1: off"),
  topNSigma: parameter(number("topNSigma"), "leave out tokens this many deviations below the best; -1: off"),
  repeatPenalty: parameter(number("repeatPenalty"), "make tokens of the last text less likely; 1: off"),
  repeatLastN: parameter(count("repeatLastN"), "how many tokens the penalties look back on; -1: all"),
  presencePenalty: parameter(number("presencePenalty"), "make tokens that occurred less likely"),
  frequencyPenalty: parameter(number("frequencyPenalty"), "make tokens less likely each time they occur"),
  xtcProbability: parameter(
    number("xtcProbability"),
    "how often to leave out the likeliest tokens; 0: never",
  ),
  xtcThreshold: parameter(number("xtcThreshold"), "the probability from which XTC leaves tokens out"),
  dryMultiplier: parameter(number("dryMultiplier"), "strength of the penalty for repeated passages; 0: off"),
  mirostatTau: parameter(number("mirostatTau"), "the surprise that mirostat aims at"),
  mirostatEta: parameter(number("mirostatEta"), "how quickly mirostat adapts"),
} satisfies { readonly [K in SamplingNumber]?: Flag<number> }

const stopText = text("TEXT", TEXTS.stop)

/** All parameters: flags of `run`, and names for `/set parameter`. */
export const parameterFlags = {
  ...samplingFlags,
  mirostat: parameter(
    oneOf("0", "1", "2"),
    "sampling that keeps the surprise even; 0: off, 1 or 2: its version",
  ),
  seed: parameter(integer("N", 0, 2 ** 32 - 1), "makes an answer repeatable"),
  maxTokens: parameter(
    integer("N", -1, NUMBERS.tokens.max),
    "most tokens of an answer; -1: until the context is full",
  ),
  minTokens: parameter(integer("N", 0, NUMBERS.tokens.max), "fewest tokens of an answer"),
  stop: {
    ...parameter<readonly string[]>(
      { placeholder: "TEXT", parse: (given, origin) => [stopText.parse(given, origin)] },
      "end the answer where this text would come; may be repeated",
    ),
    combine: (earlier: readonly string[], later: readonly string[]) => {
      const all = [...earlier, ...later]
      const { maxItems } = COUNTS.stops
      if (all.length > maxItems) throw new UsageError(`stop must have at most ${maxItems} texts`)
      return all
    },
  },
} satisfies FlagTable

/** The parameters that were set. */
export type ParameterValues = FlagValues<typeof parameterFlags>

/** Converts parameters to request options. */
export function answerOptions(said: ParameterValues): AnswerOptions {
  const sampling: { -readonly [K in keyof SamplingParameters]?: SamplingParameters[K] } = {}
  for (const key of samplingKeys) {
    const value = said[key]
    if (value !== undefined) sampling[key] = value
  }
  if (said.mirostat !== undefined)
    sampling.mirostat = said.mirostat === "0" ? 0 : said.mirostat === "1" ? 1 : 2
  if (said.seed !== undefined) sampling.seed = said.seed
  const { maxTokens } = said
  return {
    sampling,
    ...(maxTokens !== undefined && { maxTokens: maxTokens < 0 ? Number.POSITIVE_INFINITY : maxTokens }),
    minTokens: said.minTokens ?? 0,
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
