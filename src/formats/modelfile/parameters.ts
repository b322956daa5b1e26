import type { SettingValues } from "../../domain/setting-values"
import { MODEL_SETTINGS, type SettingRow } from "../../domain/settings"
import { parseDuration } from "../../lib/text/duration"
import {
  LONGEST_STAY_SECONDS,
  MAX_INT32,
  MODEL_TEXTS,
  NUMBERS,
  SAMPLING,
  type SamplingNumber,
  TEXTS,
} from "../../limits"

/** A parameter's value; several strings if it may be repeated. */
export type ParameterValue = number | boolean | string

/** The values that a parameter accepts. */
export interface ParameterRule {
  /** Follows "must be" in messages. */
  readonly rule: string
  /** `undefined`: not a valid value. */
  parse(text: string): ParameterValue | undefined
  /** Each line adds a value, up to this many; absent: the last line wins. */
  readonly mostLines?: number
}

const WHOLE_NUMBER = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

function integer(minimum: number, maximum = MAX_INT32): ParameterRule {
  return {
    rule: `a whole number from ${minimum} to ${maximum}`,
    parse: (text) => within(WHOLE_NUMBER.test(text) ? Number(text) : NaN, minimum, maximum),
  }
}

function decimal(minimum: number, maximum: number): ParameterRule {
  return {
    rule: `a number from ${minimum} to ${maximum}`,
    parse: (text) => within(DECIMAL.test(text) ? Number(text) : NaN, minimum, maximum),
  }
}

function within(number: number, minimum: number, maximum: number): number | undefined {
  return number >= minimum && number <= maximum ? number : undefined
}

/** A sampling parameter with the same limits as in requests. */
function sampling(key: SamplingNumber): ParameterRule {
  return decimal(SAMPLING[key].min, SAMPLING[key].max)
}

function samplingCount(key: SamplingNumber, minimum: number = SAMPLING[key].min): ParameterRule {
  return integer(minimum, SAMPLING[key].max)
}

/** As in Go's `strconv.ParseBool`. */
const toggle: ParameterRule = {
  rule: "true or false",
  parse(text) {
    if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true
    return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
  },
}

const stop: ParameterRule = {
  rule: `a string of 1 to ${TEXTS.stop.maxLength} characters`,
  parse: (text) => (text === "" || text.length > TEXTS.stop.maxLength ? undefined : text),
  mostLines: MODEL_TEXTS.stops.maxItems,
}

function oneOf(...words: readonly string[]): ParameterRule {
  return {
    rule: `one of ${words.join(", ")}`,
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  }
}

/** The range of other programs; beyond 2^53 the last digits are lost, but results stay reproducible. */
const seed: ParameterRule = {
  rule: "a whole number of at most 64 bits",
  parse: integer(NUMBERS.seed.min, NUMBERS.seed.max).parse,
}

const keepAlive: ParameterRule = {
  rule: `a time such as 5m, 1h30m or 90 (seconds), of at most ${LONGEST_STAY_SECONDS / 86_400}d; 0 unloads at once, a negative one never does`,
  parse: (text) => (keepAliveSeconds(text) === undefined ? undefined : text),
}

/** A `keep_alive` in seconds; `null`: forever; `undefined`: not a valid duration. */
export function keepAliveSeconds(text: string): number | null | undefined {
  const isNegative = text.startsWith("-")
  const seconds = parseDuration(isNegative ? text.slice(1) : text)
  if (seconds !== undefined && !isNegative && seconds > LONGEST_STAY_SECONDS) return undefined
  return seconds !== undefined && isNegative && seconds > 0 ? null : seconds
}

/** The settings that a Modelfile can express. */
const settingParameters: Readonly<Record<string, ParameterRule>> = Object.fromEntries(
  Object.values<SettingRow>(MODEL_SETTINGS).flatMap(({ modelfile, values }) => {
    if (modelfile === undefined) return []
    const rule = ruleOf(values, modelfile.automatic)
    return [modelfile.name, modelfile.shared ?? []].flat().map((name) => [name, rule])
  }),
)

/** @param automatic the number that leaves the choice to the program */
function ruleOf(values: SettingValues, automatic: number | undefined): ParameterRule {
  switch (values.kind) {
    case "integer":
      return integer(Math.min(values.min, automatic ?? values.min), values.max)
    case "decimal":
      return decimal(Math.min(values.min, automatic ?? values.min), values.max)
    case "words":
      return oneOf(...values.words)
    case "toggle":
      return toggle
    case "stay":
      return keepAlive
    case "text":
    case "wait":
    case "list":
      throw new Error(`Modelfiles have no parameters of the kind '${values.kind}'`)
    default:
      return values satisfies never
  }
}

/**
 * All parameters. Names, and the meaning of values such as -1, are Ollama's if it has them, otherwise
 * llama.cpp's.
 */
export const modelfileParameters: Readonly<Record<string, ParameterRule>> = {
  // Sampling.
  temperature: sampling("temperature"),
  top_k: samplingCount("topK", -1),
  top_p: sampling("topP"),
  min_p: sampling("minP"),
  typical_p: sampling("typicalP"),
  repeat_last_n: samplingCount("repeatLastN"),
  repeat_penalty: sampling("repeatPenalty"),
  presence_penalty: sampling("presencePenalty"),
  frequency_penalty: sampling("frequencyPenalty"),
  seed,
  top_n_sigma: sampling("topNSigma"),
  min_keep: samplingCount("minKeep"),
  xtc_probability: sampling("xtcProbability"),
  xtc_threshold: sampling("xtcThreshold"),
  dry_multiplier: sampling("dryMultiplier"),
  dry_base: sampling("dryBase"),
  dry_allowed_length: samplingCount("dryAllowedLength"),
  dry_penalty_last_n: samplingCount("dryPenaltyLastN"),
  dynatemp_range: sampling("dynamicTemperatureRange"),
  dynatemp_exponent: sampling("dynamicTemperatureExponent"),
  ignore_eos: toggle,
  // The end of an answer.
  num_predict: integer(-2, NUMBERS.tokens.max),
  stop,
  // Loading and residency of the model. Those without a setting are accepted because registries' models have them.
  ...settingParameters,
  num_batch: integer(1),
  main_gpu: integer(0),
  num_keep: integer(-1),
  adapter_scale: decimal(-100, 100),
}
