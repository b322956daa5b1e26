import type { SamplingParameters } from "../../domain"
import { InvalidRequest } from "../../errors"
import { foldSeed } from "../../lib/fold-seed"
import { isJsonObject } from "../body"
import { broken, checkInteger, checkList, checkNumber, checkText, defined, type Fields } from "../fields"
import { readSamplers } from "./samplers"
import { readSeed } from "./seed"

/** llama.cpp takes 32-bit numbers for counts and ids. */
const MAX_INT32 = 2 ** 31 - 1

/** Logits are divided by it. */
const REPEAT_PENALTY = { min: 0.01, max: 100 }

/** OpenAI's limits of `logit_bias`. */
const BIAS = { min: -100, max: 100 }

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
    temperature: fields.number("temperature", { min: 0, max: 2 }),
    dynamicTemperatureRange: fields.number("dynatemp_range", { min: 0, max: 2 }),
    dynamicTemperatureExponent: fields.number("dynatemp_exponent", { min: 0, max: 100 }),
    seed: readSamplingSeed(fields),
    logitBias: readLogitBias(fields.raw("logit_bias")),
    ignoreEos: fields.boolean("ignore_eos"),
    // Last: whatever else is said of a sampler that is left out, it is off.
    ...readSamplers(fields),
  })
}

/** What narrows the candidates down. */
function readCandidates(fields: Fields) {
  const topK = fields.integer("top_k", { min: -1, max: MAX_INT32 })
  return {
    // Both -1 and 0 mean off to llama.cpp's users.
    topK: topK === undefined ? undefined : Math.max(0, topK),
    topP: fields.number("top_p", { min: 0, max: 1 }),
    minP: fields.number("min_p", { min: 0, max: 1 }),
    typicalP: fields.number("typical_p", { min: 0, max: 1 }),
    topNSigma: fields.number("top_n_sigma", { min: -1, max: 1000 }),
    minKeep: fields.integer("min_keep", { min: 0, max: MAX_INT32 }),
    xtcProbability: fields.number("xtc_probability", { min: 0, max: 1 }),
    xtcThreshold: fields.number("xtc_threshold", { min: 0, max: 1 }),
  }
}

function readPenalties(fields: Fields) {
  return {
    ...readRepeatPenalty(fields),
    presencePenalty: fields.number("presence_penalty", { min: -2, max: 2 }),
    frequencyPenalty: fields.number("frequency_penalty", { min: -2, max: 2 }),
    dryMultiplier: fields.number("dry_multiplier", { min: 0, max: 100 }),
    dryBase: fields.number("dry_base", { min: 1, max: 100 }),
    dryAllowedLength: fields.integer("dry_allowed_length", { min: 0, max: MAX_INT32 }),
    dryPenaltyLastN: fields.integer("dry_penalty_last_n", { min: -1, max: MAX_INT32 }),
    drySequenceBreakers: fields
      .list("dry_sequence_breakers")
      ?.map((breaker, index) => checkText(`dry_sequence_breakers[${index}]`, breaker)),
  }
}

/**
 * llama.cpp's `repeat_penalty`, or `repetition_penalty` of vLLM, SGLang and TGI. The same is done for both, but the
 * latter is about the whole context, unless `repeat_last_n` says otherwise. Clients that serve many servers send both.
 */
function readRepeatPenalty(fields: Fields) {
  const repeat = fields.number("repeat_penalty", REPEAT_PENALTY)
  const repetition = fields.number("repetition_penalty", REPEAT_PENALTY)
  const lastN = fields.integer("repeat_last_n", { min: -1, max: MAX_INT32 })
  if (repeat !== undefined && repetition !== undefined && repeat !== repetition) {
    throw new InvalidRequest(
      `repetition_penalty (${repetition}) must not differ from repeat_penalty (${repeat}): both mean the same`,
      "repetition_penalty",
    )
  }
  const isAboutAll = repeat === undefined && repetition !== undefined && repetition !== 1
  return { repeatPenalty: repeat ?? repetition, repeatLastN: lastN ?? (isAboutAll ? -1 : undefined) }
}

function readMirostat(fields: Fields) {
  const version = fields.integer("mirostat", { min: 0, max: 2 })
  const mirostat: SamplingParameters["mirostat"] | undefined =
    version === 0 || version === 1 || version === 2 ? version : undefined
  return {
    mirostat,
    mirostatTau: fields.number("mirostat_tau", { min: 0, max: 100 }),
    mirostatEta: fields.number("mirostat_eta", { min: 0, max: 1 }),
  }
}

/** -1 asks for a random one, as with llama.cpp. */
function readSamplingSeed(fields: Fields): number | null | undefined {
  const seed = readSeed(fields)
  if (seed === undefined) return undefined
  return seed === -1 ? null : foldSeed(seed)
}

/** An object `{"id or text": bias}` as OpenAI has it, or pairs `[[id or text, bias]]` as llama.cpp has it. */
function readLogitBias(value: unknown): LogitBias | undefined {
  if (value === undefined) return undefined
  if (isJsonObject(value)) {
    return Object.entries(value).map(([key, bias]) => [
      readBiasedKey(key),
      readBias(`logit_bias.${key}`, bias),
    ])
  }
  if (!Array.isArray(value)) throw broken("logit_bias", "an object or an array of pairs", value)
  return value.map((pair, index) => readBiasPair(`logit_bias[${index}]`, pair))
}

function readBiasPair(name: string, value: unknown): LogitBias[number] {
  const [token, bias, ...rest] = checkList(name, value)
  if (rest.length > 0) throw new InvalidRequest(`${name} must be a pair [token, bias]`, "logit_bias")
  if (typeof token === "string") return [readBiasedText(name, token), readBias(name, bias)]
  return [checkInteger(name, token, { min: 0, max: MAX_INT32 }), readBias(name, bias)]
}

function readBiasedKey(key: string): number | string {
  if (!/^\d+$/.test(key)) return readBiasedText("logit_bias", key)
  return checkInteger(`logit_bias.${key}`, Number(key), { min: 0, max: MAX_INT32 })
}

function readBiasedText(name: string, text: string): string {
  if (text === "") throw new InvalidRequest(`${name} must not have an empty text`, "logit_bias")
  return checkText(name, text)
}

/** `false` bans the token. */
function readBias(name: string, bias: unknown): number {
  if (bias === false) return -Infinity
  if (typeof bias !== "number")
    throw broken(name, `false or a number between ${BIAS.min} and ${BIAS.max}`, bias)
  return checkNumber(name, bias, BIAS)
}
