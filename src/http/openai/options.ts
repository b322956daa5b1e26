import type { GenerationOptions, RequestOptions } from "../../domain"
import { InvalidRequest } from "../../errors"
import { parseDuration } from "../../lib/duration"
import { broken, checkInteger, checkText, defined, Fields } from "../fields"
import { readSampling } from "./sampling"

/** OpenAI's limit of `n`. */
const MAX_CHOICES = 128

/** OpenAI allows 4; nothing here becomes slow with more. */
const MAX_STOPS = 16

const MAX_STOP_TOKENS = 1024

const MAX_TTL_SECONDS = 2 ** 31 - 1

const MAX_TOKEN_ID = 2 ** 31 - 1

/** Far beyond any context; keeps counts in 32 bits. */
const MAX_TOKENS = 2 ** 31 - 1

/** OpenAI's limit of `top_logprobs`. */
export const MAX_TOP_LOGPROBS = 20

/** How the answer is to be sent; nothing that the engine has to know. */
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
 * What chat and completion requests share, without their own ways to ask for log probabilities.
 * @throws InvalidRequest
 */
export function readGenerationOptions(fields: Fields, usualMaxTokens?: number): GenerationOptions {
  const reply = readReplyOptions(fields)
  const maxTokens = readMaxTokens(fields)
  return {
    n: readCount(fields),
    minTokens: readMinTokens(fields, maxTokens ?? usualMaxTokens),
    stop: readStop(fields.raw("stop")),
    sampling: readSampling(fields),
    cachePrompt: fields.boolean("cache_prompt") ?? true,
    // Timings of a running answer need to know how much of the prompt was cached.
    returnProgress: reply.stream && (reply.returnProgress || reply.timingsPerToken),
    ...readModelOptions(fields),
    ...defined({
      maxTokens,
      usualMaxTokens,
      stopTokens: readStopTokens(fields),
      // vLLM's word, and SGLang's.
      keepsStop: fields.boolean("include_stop_str_in_output") ?? fields.boolean("no_stop_trim"),
      hidesControlTokens: fields.boolean("skip_special_tokens"),
      reportsTokens: fields.boolean("return_tokens"),
    }),
  }
}

/** OpenAI's word, or llama-server's. */
function readCount(fields: Fields): number {
  const given = ["n", "n_cmpl"].map((name) => fields.integer(name, { min: 1, max: MAX_CHOICES }))
  return given.find((value) => value !== undefined) ?? 1
}

/** What requests of every kind may say of their model. @throws InvalidRequest */
export function readModelOptions(fields: Fields): Pick<RequestOptions, "model" | "keepAliveSeconds"> {
  return defined({
    model: readModel(fields),
    keepAliveSeconds: readKeepAlive(fields.raw("keep_alive") ?? readTtl(fields)),
  })
}

/** The name of the model; undefined where it was left out. */
export function readModel(fields: Fields): string | undefined {
  const model = fields.text("model")
  if (model === "") throw new InvalidRequest("model must not be empty", "model")
  return model
}

/** How many choices are generated for every one that is returned. */
export function readBestOf(fields: Fields, n: number): number {
  const bestOf = fields.integer("best_of", { min: 1, max: MAX_CHOICES }) ?? n
  if (bestOf < n) throw new InvalidRequest(`best_of must be at least n (${n}), got ${bestOf}`, "best_of")
  return bestOf
}

/** -1 means no limit to llama.cpp's users. */
function readMaxTokens(fields: Fields): number | undefined {
  const names = ["max_completion_tokens", "max_tokens", "n_predict"]
  const given = names.map((name) => fields.integer(name, { min: -1, max: MAX_TOKENS }))
  const limit = given.find((value) => value !== undefined)
  return limit === -1 ? Number.POSITIVE_INFINITY : limit
}

function readMinTokens(fields: Fields, maxTokens: number | undefined): number {
  const minTokens = fields.integer("min_tokens", { min: 0, max: MAX_TOKENS }) ?? 0
  if (maxTokens === undefined || minTokens <= maxTokens) return minTokens
  throw new InvalidRequest(
    `min_tokens must be at most max_tokens (${maxTokens}), got ${minTokens}`,
    "min_tokens",
  )
}

/** LM Studio's word for how long a model stays, in seconds. */
function readTtl(fields: Fields): number | undefined {
  return fields.number("ttl", { min: 0, max: MAX_TTL_SECONDS })
}

/** As in Ollama's API: seconds or a duration such as `5m`; anything negative means for ever. */
function readKeepAlive(value: unknown): number | null | undefined {
  if (value === undefined) return undefined
  const seconds = typeof value === "string" ? readDuration(value) : value
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) {
    throw broken("keep_alive", "a number of seconds or a duration such as '5m' (negative: for ever)", value)
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
  if (value.length > MAX_STOPS) {
    throw new InvalidRequest(`stop must have at most ${MAX_STOPS} texts, got ${value.length}`, "stop")
  }
  return value.map((text, index) => checkStop(`stop[${index}]`, text))
}

function readStopTokens(fields: Fields): readonly number[] | undefined {
  const ids = fields.list("stop_token_ids")
  if (ids !== undefined && ids.length > MAX_STOP_TOKENS) {
    throw new InvalidRequest(
      `stop_token_ids must have at most ${MAX_STOP_TOKENS} tokens, got ${ids.length}`,
      "stop_token_ids",
    )
  }
  return ids?.map((id, index) => checkInteger(`stop_token_ids[${index}]`, id, { min: 0, max: MAX_TOKEN_ID }))
}

function checkStop(name: string, value: unknown): string {
  const text = checkText(name, value)
  if (text === "") throw new InvalidRequest(`${name} must not be empty`, name)
  return text
}
