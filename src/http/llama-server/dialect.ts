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
      message: error.publicMessage,
      type: typeOf(error),
      ...error.details,
    },
  }
}

function typeOf({ code, status }: XllmError): string {
  const type = TYPES[code] ?? TYPES_BY_STATUS[status]
  return type ?? (status >= 500 ? "server_error" : "invalid_request_error")
}
