import type {
  ChatMessage,
  ChatRequest,
  OutputConstraint,
  ReasoningOptions,
  SamplingParameters,
} from "../../domain/chat"
import type { EmbeddingRequest } from "../../domain/embedding"
import type { ImageRequest } from "../../domain/media/image"
import type { ToolUse } from "../../domain/tools"
import type { SpeechRequest } from "../../domain/media/speech"
import type { TranscriptionRequest } from "../../domain/media/transcription"
import type { JsonRecord } from "../../lib/json"
import { parameterName } from "../args/parameters"
import { toMediaBody } from "./media-files"

/** A chat completion request. What an answer's events have no place for (log probabilities, ids) is not asked for. */
export function toChatBody(request: ChatRequest): JsonRecord {
  const { model, messages, maxTokens, minTokens, stop, keepAliveSeconds, stopTokens } = request
  return withoutGaps({
    model,
    messages: messages.map(toMessageBody),
    ...toSamplingBody(request.sampling),
    max_tokens: maxTokens === undefined || Number.isFinite(maxTokens) ? maxTokens : -1,
    min_tokens: minTokens > 0 ? minTokens : undefined,
    stop: stop.length > 0 ? stop : undefined,
    keep_alive: keepAliveSeconds === null ? -1 : keepAliveSeconds,
    // Only where they differ from the server's own defaults.
    n: request.n === 1 ? undefined : request.n,
    stop_token_ids: stopTokens,
    include_stop_str_in_output: request.keepsStop,
    skip_special_tokens: request.hidesControlTokens,
    cache_salt: request.cacheSalt,
    "speculative.type": request.speculation?.mode,
    "speculative.n_max": request.speculation?.most,
    "speculative.n_min": request.speculation?.least,
    prediction:
      request.prediction === undefined ? undefined : { type: "content", content: request.prediction },
    cache_prompt: request.cachePrompt ? undefined : false,
    chat_template_kwargs: isEmpty(request.templateArguments) ? undefined : request.templateArguments,
    add_generation_prompt: request.addGenerationPrompt ? undefined : false,
    continue_final_message: request.continueFinalMessage ? true : undefined,
    response_format: toResponseFormat(request.output),
    ...toToolBody(request.tools),
    ...toReasoningBody(request.reasoning),
  })
}

function toMessageBody(message: ChatMessage): JsonRecord {
  const { role, content, name, reasoning, toolCalls, toolCallId } = message
  const calls = toolCalls?.map(({ id, ...called }) => ({ id, type: "function", function: called }))
  const body =
    typeof content === "string"
      ? content
      : content.map((part) => (part.type === "text" ? part : toMediaBody(part)))
  return withoutGaps({
    ...{ role, content: body, name, reasoning_content: reasoning },
    ...{ tool_calls: calls, tool_call_id: toolCallId },
  })
}

function toToolBody(use: ToolUse | undefined): JsonRecord {
  if (use === undefined) return {}
  const { tools, choice, callable, isParallel } = use
  const allowed = callable?.map((name) => ({ type: "function", function: { name } }))
  return {
    tools: tools.map(({ isStrict, ...described }) => ({
      type: "function",
      function: { ...described, strict: isStrict },
    })),
    tool_choice:
      allowed === undefined
        ? choice
        : { type: "allowed_tools", allowed_tools: { mode: choice, tools: allowed } },
    parallel_tool_calls: isParallel,
  }
}

function toReasoningBody({ effort, isEnabled, budgetTokens, isInline }: ReasoningOptions = {}): JsonRecord {
  const reasoning = withoutGaps({ effort, enabled: isEnabled, max_tokens: budgetTokens })
  return withoutGaps({
    reasoning: isEmpty(reasoning) ? undefined : reasoning,
    reasoning_format: isInline === true ? "none" : undefined,
  })
}

/** Formats that the command line asks for: JSON, with or without a schema. */
function toResponseFormat(output: OutputConstraint | undefined): JsonRecord | undefined {
  if (output?.type === "json") return { type: "json_object" }
  if (output?.type !== "schema") return undefined
  const { schema, isStrict: strict } = output
  return { type: "json_schema", json_schema: { name: "answer", schema, strict } }
}

/** Names of sampling parameters in requests that differ from {@link parameterName}. */
const SAMPLING_NAMES: Readonly<Record<string, string>> = {
  dynamicTemperatureRange: "dynatemp_range",
  dynamicTemperatureExponent: "dynatemp_exponent",
}

function toSamplingBody({ logitBias, seed, ...others }: Partial<SamplingParameters>): JsonRecord {
  const named = Object.entries(others).map(([key, value]) => [
    SAMPLING_NAMES[key] ?? parameterName(key),
    value,
  ])
  return {
    ...Object.fromEntries(named),
    seed: seed === null ? -1 : seed,
    // JSON has no infinity.
    logit_bias: logitBias?.map(([token, bias]) => [token, bias === -Infinity ? false : bias]),
  }
}

/** Vectors come as base64, which is shorter. */
export function toEmbeddingBody(request: EmbeddingRequest): JsonRecord {
  const { model, inputs, dimensions, truncation } = request
  return withoutGaps({
    model,
    input: inputs,
    dimensions,
    encoding_format: "base64",
    truncate: truncation === "no" ? undefined : truncation === "start" ? "END" : "START",
  })
}

export function toSpeechBody(request: SpeechRequest): JsonRecord {
  const { model, input, voice, format, speed, sampleRate, rawText } = request
  const options = { response_format: format, sample_rate: sampleRate, raw_text: rawText }
  return withoutGaps({ model, input, voice, speed, ...options })
}

/** The fields of the form, except for the file. */
export function toTranscriptionBody(request: TranscriptionRequest): JsonRecord {
  const { model, language, prompt, temperature, wordTimes } = request
  return withoutGaps({
    model,
    language,
    prompt,
    temperature,
    response_format: "verbose_json",
    ...(wordTimes && { "timestamp_granularities[]": "word" }),
  })
}

/** All fields except for the images that it starts from. */
export function toImageBody(request: ImageRequest): JsonRecord {
  const { width, height } = request
  return withoutGaps({
    model: request.model,
    prompt: request.prompt,
    negative_prompt: request.negativePrompt,
    n: request.n,
    size: width === undefined || height === undefined ? undefined : `${width}x${height}`,
    steps: request.steps,
    cfg_scale: request.cfgScale,
    seed: request.seed,
    sampler: request.sampler,
    scheduler: request.scheduler,
    output_format: request.format,
    output_compression: request.compression,
    response_format: "b64_json",
  })
}

function withoutGaps(record: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

function isEmpty(record: JsonRecord): boolean {
  return Object.keys(record).length === 0
}
