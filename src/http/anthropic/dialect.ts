import type { XllmError } from "../../errors/base"
import type { Dialect } from "../context/dialect"

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
}

export const anthropicDialect: Dialect = {
  match: (path) => path === "/v1/messages" || path.startsWith("/v1/messages/"),
  renderError: errorBody,
  renderStreamError: (error) => `event: error\ndata: ${JSON.stringify(errorBody(error))}\n\n`,
}

function errorBody(error: XllmError, requestId?: string): Readonly<Record<string, unknown>> {
  const type = TYPES[error.status] ?? (error.status >= 500 ? "api_error" : "invalid_request_error")
  return {
    type: "error",
    error: { type, message: messageOf(error), code: error.code, ...error.details },
    ...(requestId !== undefined && { request_id: requestId }),
  }
}

/** Coding agents shorten a conversation when they read these words. */
function messageOf({ code, details, publicMessage }: XllmError): string {
  const { n_prompt_tokens: given, n_ctx: most } = details ?? {}
  return code === "context_length_exceeded" && typeof given === "number" && typeof most === "number"
    ? `prompt is too long: ${given} tokens > ${most} maximum`
    : publicMessage
}
