import type { XllmError } from "../../errors/base"
import type { Dialect } from "../context/dialect"

export const openAiDialect: Dialect = {
  match: (path) => path.startsWith("/v1/"),
  renderError: errorBody,
  renderStreamError: (error) => `data: ${JSON.stringify(errorBody(error))}\n\n`,
}

/** The error in the form of OpenAI's API; in a stream it is sent as an event. */
function errorBody(error: XllmError): Readonly<Record<string, unknown>> {
  return {
    error: {
      message: error.publicMessage,
      type: error.status >= 500 ? "server_error" : "invalid_request_error",
      param: error.param ?? null,
      code: error.code,
      ...error.details,
    },
  }
}
