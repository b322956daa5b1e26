import type { XllmError } from "../../src/errors/base"
import type { Json } from "./http"

/** What the errors of an API look like. */
interface Api {
  readonly path: string
  shape(error: XllmError): Json
  /** The last event of a stream, and in it the JSON. */
  readonly stream: RegExp
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
}

const LLAMA_TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  501: "not_supported_error",
  503: "unavailable_error",
}

const DATA = /^data: (.+)\n\n$/

export const APIS: readonly (readonly [name: string, api: Api])[] = [
  ["OpenAI's", { path: "/v1/completions", stream: DATA, shape: openAiShape }],
  ["Responses", { path: "/v1/responses", stream: DATA, shape: openAiShape }],
  ["xLLM's", { path: "/v0/stop", stream: DATA, shape: openAiShape }],
  [
    "Anthropic's",
    {
      path: "/v1/messages",
      stream: /^event: error\ndata: (.+)\n\n$/,
      shape: (error) => ({
        type: "error",
        error: {
          type:
            ANTHROPIC_TYPES[error.status] ?? (error.status >= 500 ? "api_error" : "invalid_request_error"),
          // What coding agents look for.
          message: isTooLong(error)
            ? `prompt is too long: ${error.details?.["n_prompt_tokens"]} tokens > ${error.details?.["n_ctx"]} maximum`
            : error.publicMessage,
          code: error.code,
          ...error.details,
        },
        request_id: "req_1",
      }),
    },
  ],
  ["Ollama's", { path: "/api/chat", stream: /^(.+)\n$/, shape: (error) => ({ error: error.publicMessage }) }],
  [
    "llama-server's",
    {
      path: "/completion",
      stream: DATA,
      shape: (error) => ({
        error: { code: error.status, message: llamaMessage(error), type: llamaType(error), ...error.details },
      }),
    },
  ],
]

function openAiShape({ publicMessage: message, status, param, code, details }: XllmError): Json {
  const type = status >= 500 ? "server_error" : "invalid_request_error"
  return { error: { message, type, param: param ?? null, code, ...details } }
}

/** What its clients look for. */
function llamaMessage(error: XllmError): string {
  const { details = {}, publicMessage } = error
  const tokens = `request (${details["n_prompt_tokens"]} tokens)`
  const words = `${tokens} exceeds the available context size (${details["n_ctx"]} tokens): ${publicMessage}`
  return isTooLong(error) ? words : publicMessage
}

function isTooLong({ code }: XllmError): boolean {
  return code === "context_length_exceeded"
}

function llamaType({ code, status }: XllmError): string {
  if (code === "context_length_exceeded") return "exceed_context_size_error"
  if (code === "unsupported") return "not_supported_error"
  return LLAMA_TYPES[status] ?? (status >= 500 ? "server_error" : "invalid_request_error")
}

/** A stream's request has it in a header. */
export function withoutId({ request_id: _, ...shape }: Json): Json {
  return shape
}
