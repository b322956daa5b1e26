import { asXllmError, type XllmError } from "../../errors/base"

/** The error as OpenAI's API words it; in a stream it is sent as an event of its own. */
export function openAiErrorBody(error: XllmError): Readonly<Record<string, unknown>> {
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

/** The last event of a stream whose answer failed. Nothing follows it, so no client takes the answer for complete. */
export function failureEvent(error: unknown): string {
  return `data: ${JSON.stringify(openAiErrorBody(asXllmError(error)))}\n\n`
}
