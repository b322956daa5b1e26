import type { SamplingParameters } from "../../domain"
import { InvalidRequest } from "../../errors"
import { shorten } from "../../lib/shorten"
import { BIAS, COUNTS, NUMBERS, SAMPLING, SHOWN, TEXTS } from "../../limits"
import { isJsonObject, type JsonObject } from "../body"
import {
  broken,
  checkInteger,
  checkList,
  checkNumber,
  checkText,
  defined,
  type Fields,
  tooMany,
} from "../fields"

/** The seed that means "a fresh one" to llama.cpp's samplers (LLAMA_DEFAULT_SEED), so it cannot be asked for. */
const RANDOM_SEED = 2 ** 32 - 1

type LogitBias = SamplingParameters["logitBias"]

/**
 * What a request says about sampling: OpenAI's fields and llama.cpp's.
 * @throws InvalidRequest
 */
export function readSampling(fields: Fields): Partial<SamplingParameters> {
  return defined({
    ...readCandidates(fields),
    ...readPenalties(fields),
    ...readMirostat(fields),
    temperature: fields.number("temperature", SAMPLING.temperature),
    dynamicTemperatureRange: fields.number("dynatemp_range", SAMPLING.dynamicTemperatureRange),
    dynamicTemperatureExponent: fields.number("dynatemp_exponent", SAMPLING.dynamicTemperatureExponent),
    seed: readSeed(fields),
    logitBias: readLogitBias(fields.raw("logit_bias")),
    ignoreEos: fields.boolean("ignore_eos"),
  })
}

/** What narrows the candidates down. */
function readCandidates(fields: Fields) {
  const topK = fields.integer("top_k", { ...SAMPLING.topK, min: -1 })
  return {
    // Both -1 and 0 mean off to llama.cpp's users.
    topK: topK === undefined ? undefined : Math.max(0, topK),
    topP: fields.number("top_p", SAMPLING.topP),
    minP: fields.number("min_p", SAMPLING.minP),
    typicalP: fields.number("typical_p", SAMPLING.typicalP),
    topNSigma: fields.number("top_n_sigma", SAMPLING.topNSigma),
    minKeep: fields.integer("min_keep", SAMPLING.minKeep),
    xtcProbability: fields.number("xtc_probability", SAMPLING.xtcProbability),
    xtcThreshold: fields.number("xtc_threshold", SAMPLING.xtcThreshold),
  }
}

function readPenalties(fields: Fields) {
  return {
    repeatPenalty: fields.number("repeat_penalty", SAMPLING.repeatPenalty),
    repeatLastN: fields.integer("repeat_last_n", SAMPLING.repeatLastN),
    presencePenalty: fields.number("presence_penalty", SAMPLING.presencePenalty),
    frequencyPenalty: fields.number("frequency_penalty", SAMPLING.frequencyPenalty),
    dryMultiplier: fields.number("dry_multiplier", SAMPLING.dryMultiplier),
    dryBase: fields.number("dry_base", SAMPLING.dryBase),
    dryAllowedLength: fields.integer("dry_allowed_length", SAMPLING.dryAllowedLength),
    dryPenaltyLastN: fields.integer("dry_penalty_last_n", SAMPLING.dryPenaltyLastN),
    drySequenceBreakers: fields
      .list("dry_sequence_breakers", COUNTS.sequenceBreakers)
      ?.map((breaker, index) => checkText(`dry_sequence_breakers[${index}]`, breaker, TEXTS.sequenceBreaker)),
  }
}

function readMirostat(fields: Fields) {
  const version = fields.integer("mirostat", SAMPLING.mirostat)
  const mirostat: SamplingParameters["mirostat"] | undefined =
    version === 0 || version === 1 || version === 2 ? version : undefined
  return {
    mirostat,
    mirostatTau: fields.number("mirostat_tau", SAMPLING.mirostatTau),
    mirostatEta: fields.number("mirostat_eta", SAMPLING.mirostatEta),
  }
}

/** Seeds of other APIs have up to 64 bits, llama.cpp's have 32: a large one is folded, always to the same. */
function readSeed(fields: Fields): number | null | undefined {
  const seed = fields.integer("seed", NUMBERS.seed)
  if (seed === undefined) return undefined
  if (seed === -1) return null
  return ((seed % RANDOM_SEED) + RANDOM_SEED) % RANDOM_SEED
}

/** An object `{"id or text": bias}` as OpenAI has it, or pairs `[[id or text, bias]]` as llama.cpp has it. */
function readLogitBias(value: unknown): LogitBias | undefined {
  if (value === undefined) return undefined
  const biases = isJsonObject(value) ? readBiasObject(value) : readBiasPairs(value)
  const texts = biases.filter(([token]) => typeof token === "string").length
  const { maxItems } = COUNTS.biasedTexts
  if (texts > maxItems) throw tooMany("logit_bias", maxItems, "texts", texts)
  return biases
}

function readBiasObject(value: JsonObject): LogitBias {
  const entries = Object.entries(value)
  checkList("logit_bias", entries, COUNTS.biases)
  return entries.map(([key, bias]) => [readBiasedKey(key), readBias(biasName(key), bias)])
}

function readBiasPairs(value: unknown): LogitBias {
  if (!Array.isArray(value)) throw broken("logit_bias", "an object or an array of pairs", value)
  const pairs = checkList("logit_bias", value, COUNTS.biases)
  return pairs.map((pair, index) => readBiasPair(`logit_bias[${index}]`, pair))
}

function readBiasPair(name: string, value: unknown): LogitBias[number] {
  if (!Array.isArray(value) || value.length > 2) {
    throw new InvalidRequest(`${name} must be a pair [token, bias]`, "logit_bias")
  }
  const [token, bias]: readonly unknown[] = value
  if (typeof token === "string") return [readBiasedText(name, token), readBias(name, bias)]
  return [checkInteger(name, token, NUMBERS.tokenId), readBias(name, bias)]
}

function readBiasedKey(key: string): number | string {
  if (!/^\d{1,20}$/.test(key)) return readBiasedText("logit_bias", key)
  return checkInteger(biasName(key), Number(key), NUMBERS.tokenId)
}

/** What messages call the bias of a key, which is anything at all. */
function biasName(key: string): string {
  return `logit_bias.${shorten(key, SHOWN.value)}`
}

function readBiasedText(name: string, text: string): string {
  if (text === "") throw new InvalidRequest(`${name} must not have an empty text`, "logit_bias")
  return checkText(name, text, TEXTS.biasedText)
}

/** `false` bans the token. */
function readBias(name: string, bias: unknown): number {
  if (bias === false) return -Infinity
  if (typeof bias !== "number")
    throw broken(name, `false or a number between ${BIAS.min} and ${BIAS.max}`, bias)
  return checkNumber(name, bias, BIAS)
}
