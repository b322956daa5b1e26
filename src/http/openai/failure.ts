import { asXllmError } from "../../errors"
import { openAiErrorBody } from "../plugins/errors"

/** The last event of a stream whose answer failed. Nothing follows it, so no client takes the answer for complete. */
export function failureEvent(error: unknown): string {
  return `data: ${JSON.stringify(openAiErrorBody(asXllmError(error)))}\n\n`
}
