import { parseDuration } from "../../lib/duration"

/** A parameter's value; several texts where it may be repeated. */
export type ParameterValue = number | boolean | string

/** What a parameter may be. */
export interface ParameterRule {
  /** To follow "must be". */
  readonly rule: string
  /** `undefined`: the text is nothing of that kind. */
  parse(text: string): ParameterValue | undefined
  /** Every line adds one. */
  readonly repeats?: true
}

const MAX_INT32 = 2 ** 31 - 1
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

/** As Go's `strconv.ParseBool` reads it. */
const toggle: ParameterRule = {
  rule: "true or false",
  parse(text) {
    if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true
    return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
  },
}

const texts: ParameterRule = {
  rule: "a text that is not empty",
  parse: (text) => (text === "" ? undefined : text),
  repeats: true,
}

function oneOf(...words: readonly string[]): ParameterRule {
  return {
    rule: `one of ${words.join(", ")}`,
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  }
}

const kvType = oneOf("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1")

/** As large as those of other programs; beyond 2^53 the last digits are lost, which makes it no less repeatable. */
const seed: ParameterRule = {
  rule: "a whole number of at most 64 bits",
  parse: integer(-(2 ** 64), 2 ** 64).parse,
}

const keepAlive: ParameterRule = {
  rule: "a time such as 5m, 1h30m or 90 (seconds); 0 unloads at once, a negative one never does",
  parse: (text) => (keepAliveSeconds(text) === undefined ? undefined : text),
}

/** What `keep_alive` means, in seconds; `null`: for ever; `undefined`: the text is no time. */
export function keepAliveSeconds(text: string): number | null | undefined {
  const isNegative = text.startsWith("-")
  const seconds = parseDuration(isNegative ? text.slice(1) : text)
  return seconds !== undefined && isNegative && seconds > 0 ? null : seconds
}

/** Every parameter. Names, and meanings of numbers such as -1, are Ollama's where it has them, else llama.cpp's. */
export const modelfileParameters: Readonly<Record<string, ParameterRule>> = {
  // How the next token is chosen.
  temperature: decimal(0, 2),
  top_k: integer(-1),
  top_p: decimal(0, 1),
  min_p: decimal(0, 1),
  typical_p: decimal(0, 1),
  repeat_last_n: integer(-1),
  repeat_penalty: decimal(0.01, 100),
  presence_penalty: decimal(-2, 2),
  frequency_penalty: decimal(-2, 2),
  seed,
  top_n_sigma: decimal(-1, 1000),
  min_keep: integer(0),
  xtc_probability: decimal(0, 1),
  xtc_threshold: decimal(0, 1),
  dry_multiplier: decimal(0, 100),
  dry_base: decimal(1, 100),
  dry_allowed_length: integer(0),
  dry_penalty_last_n: integer(-1),
  dynatemp_range: decimal(0, 2),
  dynatemp_exponent: decimal(0, 100),
  ignore_eos: toggle,
  // Where an answer ends.
  num_predict: integer(-2),
  stop: texts,
  // How the model is loaded and kept.
  num_ctx: integer(1),
  num_batch: integer(1),
  num_gpu: integer(-1),
  main_gpu: integer(0),
  num_thread: integer(0, 512),
  num_keep: integer(-1),
  use_mmap: toggle,
  kv_cache_type: kvType,
  cache_type_k: kvType,
  cache_type_v: kvType,
  parallel: integer(1, 256),
  keep_alive: keepAlive,
  adapter_scale: decimal(-100, 100),
  // How a draft model is used.
  draft_num_predict: integer(0),
  draft_num_min: integer(0),
  draft_p_min: decimal(0, 1),
}
