import type { SamplingParameters } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { foldSeed } from "../../lib/fold-seed"
import { shorten } from "../../lib/text/shorten"
import {
  BIAS,
  COUNTS,
  LLAMA_BIAS,
  LLAMA_SAMPLING,
  NUMBERS,
  type Range,
  SAMPLING,
  type SamplingRanges,
  SHOWN,
  TEXTS,
} from "../../limits"
import {
  checkInteger,
  checkList,
  checkNumber,
  checkText,
  defined,
  type Fields,
  invalidField,
  tooMany,
} from "./fields"
import { isJsonObject, type JsonObject } from "./body/json-body"
import { readSamplers } from "./samplers"
import { readSeed } from "./seed"

type LogitBias = SamplingParameters["logitBias"]

/** The ranges of the fields that OpenAI's API has too. Those that only llama.cpp has keep llama.cpp's ranges everywhere. */
export interface SamplingLimits {
  readonly numbers: SamplingRanges
  /** Of biases in OpenAI's form. */
  readonly bias: Range
  /** As in llama.cpp, take a number outside of a sampler's range for the nearest that is in it? Counts have no such rule. */
  readonly clamps: boolean
}

const OPENAI_LIMITS: SamplingLimits = { numbers: SAMPLING, bias: BIAS, clamps: false }

/** For requests in llama.cpp's own words. */
export const LLAMA_LIMITS: SamplingLimits = { numbers: LLAMA_SAMPLING, bias: LLAMA_BIAS, clamps: true }

/**
 * Reads the sampling fields of OpenAI and llama.cpp.
 * @throws InvalidRequest
 */
export function readSampling(fields: Fields, limits = OPENAI_LIMITS): Partial<SamplingParameters> {
  const { numbers } = limits
  const number = readerOf(fields, limits)
  const given = defined({
    ...readCandidates(fields, number),
    ...readPenalties(fields, number, numbers),
    ...readMirostat(fields, number),
    temperature: number("temperature", numbers.temperature),
    dynamicTemperatureRange: number("dynatemp_range", LLAMA_SAMPLING.dynamicTemperatureRange),
    dynamicTemperatureExponent: number("dynatemp_exponent", SAMPLING.dynamicTemperatureExponent),
    seed: readSamplingSeed(fields),
    logitBias: readLogitBias(fields.unchecked("logit_bias"), limits.bias),
    ignoreEos: fields.boolean("ignore_eos"),
  })
  // Last, because a sampler missing from the list is off whatever its other fields say.
  return { ...given, ...readSamplers(fields, given) }
}

/** Reads a sampler's number. @throws InvalidRequest */
type ReadNumber = (name: string, range: Range) => number | undefined

function readerOf(fields: Fields, { clamps }: SamplingLimits): ReadNumber {
  if (!clamps) return (name, range) => fields.number(name, range)
  return (name, range) => {
    const value = fields.unchecked(name)
    if (typeof value !== "number") return fields.number(name, range)
    return Math.min(range.max, Math.max(range.min, value))
  }
}

/** The options that narrow down the candidates. */
function readCandidates(fields: Fields, number: ReadNumber) {
  const topK = fields.integer("top_k", { ...SAMPLING.topK, min: -SAMPLING.topK.max })
  return {
    // In llama.cpp everything up to 0 means off.
    topK: topK === undefined ? undefined : Math.max(0, topK),
    topP: number("top_p", SAMPLING.topP),
    minP: number("min_p", SAMPLING.minP),
    typicalP: number("typical_p", SAMPLING.typicalP),
    topNSigma: number("top_n_sigma", SAMPLING.topNSigma),
    minKeep: fields.integer("min_keep", SAMPLING.minKeep),
    xtcProbability: number("xtc_probability", SAMPLING.xtcProbability),
    xtcThreshold: number("xtc_threshold", SAMPLING.xtcThreshold),
  }
}

function readPenalties(fields: Fields, number: ReadNumber, numbers: SamplingRanges) {
  return {
    ...readRepeatPenalty(fields),
    presencePenalty: number("presence_penalty", numbers.presencePenalty),
    frequencyPenalty: number("frequency_penalty", numbers.frequencyPenalty),
    dryMultiplier: number("dry_multiplier", SAMPLING.dryMultiplier),
    dryBase: number("dry_base", SAMPLING.dryBase),
    dryAllowedLength: fields.integer("dry_allowed_length", SAMPLING.dryAllowedLength),
    dryPenaltyLastN: fields.integer("dry_penalty_last_n", SAMPLING.dryPenaltyLastN),
    drySequenceBreakers: fields
      .list("dry_sequence_breakers", COUNTS.sequenceBreakers)
      ?.map((breaker, index) => checkText(`dry_sequence_breakers[${index}]`, breaker, TEXTS.sequenceBreaker)),
  }
}

/**
 * llama.cpp's `repeat_penalty`, or `repetition_penalty` of vLLM, SGLang and TGI. Both have the same effect, but the
 * latter covers the whole context unless `repeat_last_n` is given. Clients of several servers send both.
 */
function readRepeatPenalty(fields: Fields) {
  const repeat = fields.number("repeat_penalty", SAMPLING.repeatPenalty)
  const repetition = fields.number("repetition_penalty", SAMPLING.repeatPenalty)
  const lastN = fields.integer("repeat_last_n", SAMPLING.repeatLastN)
  if (repeat !== undefined && repetition !== undefined && repeat !== repetition) {
    throw new InvalidRequest(
      `repetition_penalty (${repetition}) must not differ from repeat_penalty (${repeat}): both mean the same`,
      "repetition_penalty",
    )
  }
  const isAboutAll = repeat === undefined && repetition !== undefined && repetition !== 1
  return { repeatPenalty: repeat ?? repetition, repeatLastN: lastN ?? (isAboutAll ? -1 : undefined) }
}

function readMirostat(fields: Fields, number: ReadNumber) {
  const version = fields.integer("mirostat", SAMPLING.mirostat)
  const mirostat: SamplingParameters["mirostat"] | undefined =
    version === 0 || version === 1 || version === 2 ? version : undefined
  return {
    mirostat,
    mirostatTau: number("mirostat_tau", SAMPLING.mirostatTau),
    mirostatEta: number("mirostat_eta", SAMPLING.mirostatEta),
  }
}

/** As in llama.cpp, -1 requests a random seed. */
function readSamplingSeed(fields: Fields): number | null | undefined {
  const seed = readSeed(fields)
  if (seed === undefined) return undefined
  return seed === -1 ? null : foldSeed(seed)
}

/**
 * An object `{"id or text": bias}` as in OpenAI's API, or pairs `[[id or text, bias]]` as in llama.cpp, which has no limit.
 */
function readLogitBias(value: unknown, range: Range): LogitBias | undefined {
  if (value === undefined) return undefined
  const biases = isJsonObject(value) ? readBiasObject(value, range) : readBiasPairs(value, LLAMA_BIAS)
  const texts = biases.filter(([token]) => typeof token === "string").length
  const { maxItems } = COUNTS.biasedTexts
  if (texts > maxItems) throw tooMany("logit_bias", maxItems, "texts", texts)
  return biases
}

function readBiasObject(value: JsonObject, range: Range): LogitBias {
  const entries = Object.entries(value)
  checkList("logit_bias", entries, COUNTS.biases)
  return entries.map(([key, bias]) => [readBiasedKey(key), readBias(biasName(key), bias, range)])
}

function readBiasPairs(value: unknown, range: Range): LogitBias {
  if (!Array.isArray(value)) throw invalidField("logit_bias", "an object or an array of pairs", value)
  const pairs = checkList("logit_bias", value, COUNTS.biases)
  return pairs.map((pair, index) => readBiasPair(`logit_bias[${index}]`, pair, range))
}

function readBiasPair(name: string, value: unknown, range: Range): LogitBias[number] {
  if (!Array.isArray(value) || value.length > 2) {
    throw new InvalidRequest(`${name} must be a pair [token, bias]`, "logit_bias")
  }
  const [token, bias]: readonly unknown[] = value
  if (typeof token === "string") return [readBiasedText(name, token), readBias(name, bias, range)]
  return [checkInteger(name, token, NUMBERS.tokenId), readBias(name, bias, range)]
}

function readBiasedKey(key: string): number | string {
  if (!/^\d{1,20}$/.test(key)) return readBiasedText("logit_bias", key)
  return checkInteger(biasName(key), Number(key), NUMBERS.tokenId)
}

/** The name of a key's bias in messages; the key may be any text. */
function biasName(key: string): string {
  return `logit_bias.${shorten(key, SHOWN.value)}`
}

function readBiasedText(name: string, text: string): string {
  if (text === "") throw new InvalidRequest(`${name} must not have an empty text`, "logit_bias")
  return checkText(name, text, TEXTS.biasedText)
}

/** `false` bans the token. */
function readBias(name: string, bias: unknown, range: Range): number {
  if (bias === false) return -Infinity
  if (typeof bias !== "number")
    throw invalidField(name, `false or a number between ${range.min} and ${range.max}`, bias)
  return checkNumber(name, bias, range)
}
