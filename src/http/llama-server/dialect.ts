import type { XllmError } from "../../errors/base"
import type { Dialect } from "../context/dialect"

/** llama-server's own routes; it also serves OpenAI's without their prefix. */
const PATHS: ReadonlySet<string> = new Set([
  "/apply-template",
  "/chat/completions",
  "/completion",
  "/completions",
  "/detokenize",
  "/embedding",
  "/embeddings",
  "/health",
  "/infill",
  "/lora-adapters",
  "/models",
  "/models/load",
  "/models/unload",
  "/props",
  "/rerank",
  "/reranking",
  "/responses",
  "/responses/input_tokens",
  "/slots",
  "/tokenize",
  "/v1/health",
])

/** Its names for kinds of errors that a status alone does not tell. */
const TYPES: Readonly<Record<string, string>> = {
  context_length_exceeded: "exceed_context_size_error",
  unsupported: "not_supported_error",
}

const TYPES_BY_STATUS: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  501: "not_supported_error",
  503: "unavailable_error",
}

export const llamaServerDialect: Dialect = {
  match: (path) => PATHS.has(path.replace(/\/$/, "")) || path.startsWith("/slots/"),
  renderError: errorBody,
  renderStreamError: (error) => `data: ${JSON.stringify(errorBody(error))}\n\n`,
}

function errorBody(error: XllmError): Readonly<Record<string, unknown>> {
  return {
    error: {
      code: error.status,
      message: messageOf(error),
      type: typeOf(error),
      ...error.details,
    },
  }
}

/** Its clients find out by its words that a prompt is too long, and some also how long it is. */
function messageOf({ code, details, publicMessage }: XllmError): string {
  if (code !== "context_length_exceeded") return publicMessage
  const { n_prompt_tokens: tokens, n_ctx: context } = details ?? {}
  return `request (${tokens} tokens) exceeds the available context size (${context} tokens): ${publicMessage}`
}

function typeOf({ code, status }: XllmError): string {
  const type = TYPES[code] ?? TYPES_BY_STATUS[status]
  return type ?? (status >= 500 ? "server_error" : "invalid_request_error")
}
