import type { ChatRequest, CompletionRequest } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { NUMBERS, TEMPLATE_ARGUMENTS, TEXTS } from "../../limits"
import { refuseUnsupported } from "../read/field-table"
import { defined, Fields, invalidField } from "../read/fields"
import type { HeaderOptions } from "../read/headers"
import type { JsonObject } from "../read/body/json-body"
import { type MediaSink, TEXT_ONLY } from "../read/media/media-sink"
import { readBestOf, readGenerationOptions, readReplyOptions, type ReplyOptions } from "../read/options"
import { readPrompts } from "../read/prompts"
import { checkNested } from "../read/nested-value"
import { checkProducts } from "../read/products"
import { readReasoning } from "../read/reasoning"
import { readMessages } from "./messages"
import { CHAT_FIELDS, COMPLETION_FIELDS } from "./request-fields"
import { readToolCalling } from "./tool-use"

/** From OpenAI's reference for completions; chats have no such default. */
const DEFAULT_COMPLETION_TOKENS = 16

/** How to send the answer of a chat. */
export interface ChatReplyOptions extends ReplyOptions {
  /** The request has the older `functions`: a call is reported as `function_call`. */
  readonly isOldForm?: true
  /** The model's thinking is left out. */
  readonly hidesReasoning?: true
}

export interface ChatCall {
  readonly request: ChatRequest
  readonly reply: ChatReplyOptions
}

/** A `/v1/completions` call: one completion request per prompt. */
export interface CompletionCall {
  readonly requests: readonly CompletionRequest[]
  readonly reply: ReplyOptions
  /** Choices to return for each prompt: the best of those generated. */
  readonly n: number
  /** Did the client request log probabilities? `best_of` needs them anyway. */
  readonly logprobs: boolean
}

/** @throws InvalidRequest, Unsupported */
export function toChatCall(
  body: JsonObject,
  headers: HeaderOptions = {},
  media: MediaSink = TEXT_ONLY,
): ChatCall {
  const fields = new Fields(body)
  refuseUnsupported(fields, CHAT_FIELDS)
  const messages = readMessages(fields, media)
  const tools = readToolCalling(fields)
  const reasoning = readReasoning(fields)
  const continueFinalMessage = fields.boolean("continue_final_message") ?? false
  const request: ChatRequest = {
    kind: "chat",
    ...headers,
    ...readGenerationOptions(fields),
    messages,
    templateArguments: readTemplateArguments(fields),
    addGenerationPrompt: fields.boolean("add_generation_prompt") ?? !continueFinalMessage,
    continueFinalMessage,
    ...defined({
      topLogprobs: readChatLogprobs(fields),
      tools: tools.use,
      reasoning: reasoning.options,
    }),
  }
  checkContinuation(request)
  const reply = {
    ...readReplyOptions(fields),
    ...(tools.isOldForm && { isOldForm: true as const }),
    ...(reasoning.isHidden && { hidesReasoning: true as const }),
  }
  return { request, reply }
}

/** @throws InvalidRequest, Unsupported */
export function toCompletionCall(body: JsonObject, headers: HeaderOptions = {}): CompletionCall {
  const fields = new Fields(body)
  refuseUnsupported(fields, COMPLETION_FIELDS)
  const prompts = readPrompts(fields.unchecked("prompt"))
  const reply = readReplyOptions(fields)
  const options = readGenerationOptions(fields, DEFAULT_COMPLETION_TOKENS)
  const bestOf = readBestOf(fields, options.n)
  if (bestOf > options.n && reply.stream) {
    throw new InvalidRequest(
      "best_of must not be more than n with stream: the best answer is known only at the end",
      "best_of",
    )
  }
  const topLogprobs = fields.integer("logprobs", NUMBERS.topLogprobs) ?? readProbabilityCount(fields)
  const shared = {
    kind: "completion",
    ...headers,
    ...options,
    n: bestOf,
    echo: fields.boolean("echo") ?? false,
    ...defined({
      // Editors send an empty suffix when they mean none.
      suffix: fields.text("suffix", TEXTS.prompt) || undefined,
      keepLast: readKeepLast(fields),
      leastIndent: fields.integer("n_indent", NUMBERS.indent) || undefined,
      topLogprobs: topLogprobs ?? (bestOf > options.n ? 0 : undefined),
    }),
  } as const
  checkProducts(prompts, shared)
  const requests = prompts.map((prompt) => ({ ...shared, prompt }))
  return { requests, reply, n: options.n, logprobs: topLogprobs !== undefined }
}

/** vLLM's option to drop the start of a prompt that is too long; -1: as much as necessary. */
function readKeepLast(fields: Fields): number | undefined {
  const count = fields.integer("truncate_prompt_tokens", { ...NUMBERS.tokens, min: -1 })
  if (count === undefined) return undefined
  if (count === 0) throw invalidField("truncate_prompt_tokens", "-1 or at least 1", count)
  if (fields.text("suffix", TEXTS.prompt)) {
    throw new InvalidRequest(
      "truncate_prompt_tokens must not come with suffix: text around a gap has no single end",
      "truncate_prompt_tokens",
    )
  }
  return Math.max(0, count)
}

/** The single generation request that a body of either kind would run. @throws InvalidRequest, Unsupported */
export function toRenderRequest(
  body: JsonObject,
  headers: HeaderOptions = {},
  media: MediaSink = TEXT_ONLY,
): ChatRequest | CompletionRequest {
  if (!("prompt" in body)) return toChatCall(body, headers, media).request
  const { requests } = toCompletionCall(body, headers)
  const [request] = requests
  if (request !== undefined && requests.length === 1) return request
  throw new InvalidRequest(`prompt must be a single prompt here, got ${requests.length}`, "prompt")
}

/** OpenAI's pair of fields, or llama.cpp's `n_probs`. */
function readChatLogprobs(fields: Fields): number | undefined {
  const isWanted = fields.boolean("logprobs")
  const top = fields.integer("top_logprobs", NUMBERS.topLogprobs)
  if (isWanted === true) return top ?? 0
  if (top !== undefined && top > 0) {
    throw new InvalidRequest("top_logprobs must come with logprobs: true", "top_logprobs")
  }
  return isWanted === undefined ? readProbabilityCount(fields) : undefined
}

/** llama.cpp's `n_probs`, where 0 means none. */
function readProbabilityCount(fields: Fields): number | undefined {
  return fields.integer("n_probs", NUMBERS.alternatives) || undefined
}

function readTemplateArguments(fields: Fields): Readonly<Record<string, unknown>> {
  const given = fields.object("chat_template_kwargs") ?? {}
  checkNested("chat_template_kwargs", given, TEMPLATE_ARGUMENTS)
  return given
}

function checkContinuation(request: ChatRequest): void {
  if (!request.continueFinalMessage) return
  if (request.addGenerationPrompt) {
    throw new InvalidRequest(
      "continue_final_message and add_generation_prompt must not both be true",
      "continue_final_message",
    )
  }
  const last = request.messages.at(-1)?.role
  if (last === "assistant") return
  throw new InvalidRequest(
    `continue_final_message needs a last message of role assistant, got ${last}`,
    "continue_final_message",
  )
}
