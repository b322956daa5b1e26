import { asXllmError } from "../../errors"
import type { Logger } from "../../log/logger"
import { openAiErrorBody } from "../plugins/errors"

/** The last event of a stream whose answer failed. Nothing follows it, so no client takes the answer for complete. */
export function failureEvent(log: Logger, error: unknown): string {
  const known = asXllmError(error)
  if (known.status >= 500) log.error("stream failed", { code: known.code, message: known.message })
  return `data: ${JSON.stringify(openAiErrorBody(known))}\n\n`
}
