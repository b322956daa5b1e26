import type { GenerationOptions } from "../../domain/chat"
import type { RequestOptions } from "../../domain/request"
import { InvalidRequest } from "../../errors/request"
import { parseDuration } from "../../lib/text/duration"
import { COUNTS, LONGEST_STAY_SECONDS, NUMBERS, TEXTS } from "../../limits"
import { checkInteger, checkText, defined, Fields, invalidField, tooMany } from "./fields"
import { readOutputConstraint } from "./output-constraint"
import { readSampling, type SamplingLimits } from "./sampling"
import { readSpeculation } from "./speculation"

/** How to send the answer; the engine does not need these. */
export interface ReplyOptions {
  readonly stream: boolean
  readonly includeUsage: boolean
  readonly timingsPerToken: boolean
  readonly returnProgress: boolean
}

/** @throws InvalidRequest */
export function readReplyOptions(fields: Fields): ReplyOptions {
  const streamOptions = new Fields(fields.object("stream_options") ?? {}, "stream_options.")
  return {
    stream: fields.boolean("stream") ?? false,
    includeUsage: streamOptions.boolean("include_usage") ?? false,
    timingsPerToken: fields.boolean("timings_per_token") ?? false,
    returnProgress: fields.boolean("return_progress") ?? false,
  }
}

/**
 * Reads what chat and completion requests share, except their log probability options.
 * @throws InvalidRequest
 */
export function readGenerationOptions(
  fields: Fields,
  defaultMaxTokens?: number,
  samplingLimits?: SamplingLimits,
): GenerationOptions {
  const reply = readReplyOptions(fields)
  const maxTokens = readMaxTokens(fields)
  return {
    n: readCount(fields),
    minTokens: readMinTokens(fields, maxTokens ?? defaultMaxTokens),
    stop: readStop(fields.unchecked("stop")),
    sampling: readSampling(fields, samplingLimits),
    cachePrompt: fields.boolean("cache_prompt") ?? true,
    // Timings of a running answer need the number of cached prompt tokens.
    returnProgress: reply.stream && (reply.returnProgress || reply.timingsPerToken),
    ...readModelOptions(fields),
    ...readSpeculation(fields),
    ...defined({
      maxTokens,
      defaultMaxTokens,
      stopTokens: readStopTokens(fields),
      // vLLM's name, and SGLang's.
      keepsStop: fields.boolean("include_stop_str_in_output") ?? fields.boolean("no_stop_trim"),
      hidesControlTokens: fields.boolean("skip_special_tokens"),
      reportsTokens: fields.boolean("return_tokens"),
      cacheSalt: readCacheSalt(fields),
      output: readOutputConstraint(fields),
      slot: fields.integer("id_slot", NUMBERS.slot),
      lineBreakEndsAfterMs: readLineBreakTime(fields),
      logprobsAfterSampling: fields.boolean("post_sampling_probs") || undefined,
    }),
  }
}

/** llama.cpp's; up to 0 there is no limit. */
function readLineBreakTime(fields: Fields): number | undefined {
  const ms = fields.number("t_max_predict_ms", NUMBERS.milliseconds) ?? 0
  return ms > 0 ? ms : undefined
}

/** vLLM's name, and its rule. */
function readCacheSalt(fields: Fields): string | undefined {
  const salt = fields.text("cache_salt", TEXTS.id)
  if (salt === "") throw new InvalidRequest("cache_salt must not be empty", "cache_salt")
  return salt
}

/** OpenAI's name, or llama-server's. */
function readCount(fields: Fields): number {
  const given = ["n", "n_cmpl"].map((name) => fields.integer(name, NUMBERS.choices))
  return given.find((value) => value !== undefined) ?? 1
}

/** The model options of all requests. @throws InvalidRequest */
export function readModelOptions(fields: Fields): Pick<RequestOptions, "model" | "keepAliveSeconds"> {
  return defined({
    model: readModel(fields),
    keepAliveSeconds: readKeepAlive(fields.unchecked("keep_alive") ?? readTtl(fields)),
  })
}

/** The model's name; undefined if omitted. */
export function readModel(fields: Fields): string | undefined {
  const model = fields.text("model", TEXTS.model)
  if (model === "") throw new InvalidRequest("model must not be empty", "model")
  return model
}

/** How many choices to generate per prompt, of which the best `n` are returned. */
export function readBestOf(fields: Fields, n: number): number {
  const bestOf = fields.integer("best_of", NUMBERS.choices) ?? n
  if (bestOf < n) throw new InvalidRequest(`best_of must be at least n (${n}), got ${bestOf}`, "best_of")
  return bestOf
}

/** In llama.cpp -1 means no limit. */
function readMaxTokens(fields: Fields): number | undefined {
  const names = ["max_completion_tokens", "max_tokens", "n_predict"]
  const given = names.map((name) => fields.integer(name, { ...NUMBERS.tokens, min: -1 }))
  const limit = given.find((value) => value !== undefined)
  return limit === -1 ? Number.POSITIVE_INFINITY : limit
}

function readMinTokens(fields: Fields, maxTokens: number | undefined): number {
  const minTokens = fields.integer("min_tokens", NUMBERS.tokens) ?? 0
  if (maxTokens === undefined || minTokens <= maxTokens) return minTokens
  throw new InvalidRequest(
    `min_tokens must be at most max_tokens (${maxTokens}), got ${minTokens}`,
    "min_tokens",
  )
}

/** LM Studio's field: seconds for which a model stays loaded. */
function readTtl(fields: Fields): number | undefined {
  return fields.number("ttl", { min: 0, max: LONGEST_STAY_SECONDS })
}

/** As in Ollama's API: seconds or a duration such as `5m`; negative means for ever. */
function readKeepAlive(value: unknown): number | null | undefined {
  if (value === undefined) return undefined
  const seconds = typeof value === "string" ? readDuration(checkText("keep_alive", value, TEXTS.word)) : value
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) {
    throw invalidField(
      "keep_alive",
      "a number of seconds or a duration such as '5m' (negative: forever)",
      value,
    )
  }
  if (seconds > LONGEST_STAY_SECONDS) {
    throw invalidField("keep_alive", `at most ${LONGEST_STAY_SECONDS} seconds (negative: forever)`, value)
  }
  return seconds < 0 ? null : seconds
}

function readDuration(text: string): number | undefined {
  const isNegative = text.startsWith("-")
  const seconds = parseDuration(isNegative ? text.slice(1) : text)
  return isNegative && seconds !== undefined ? -seconds : seconds
}

function readStop(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) return [checkStop("stop", value)]
  const { maxItems } = COUNTS.stops
  if (value.length > maxItems) throw tooMany("stop", maxItems, "texts", value.length)
  return value.map((text, index) => checkStop(`stop[${index}]`, text))
}

function readStopTokens(fields: Fields): readonly number[] | undefined {
  const ids = fields.list("stop_token_ids", COUNTS.stopTokens)
  return ids?.map((id, index) => checkInteger(`stop_token_ids[${index}]`, id, NUMBERS.tokenId))
}

function checkStop(name: string, value: unknown): string {
  const text = checkText(name, value, TEXTS.stop)
  if (text === "") throw new InvalidRequest(`${name} must not be empty`, name)
  return text
}
