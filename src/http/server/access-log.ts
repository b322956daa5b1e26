import { isGenerationRequest, taskOf } from "../../domain/tasks"
import { placeAndReason, SystemFailed, traceOf } from "../../errors/base"
import { StorageFailed } from "../../errors/engine"
import { type LogFields, type Logger, WholeText } from "../../log/logger"
import type { RequestContext } from "../context/request-context"
import { policyOf } from "./routes"

/** Writes the single log line of a finished request. */
export function logExchange(log: Logger, requestContext: RequestContext): void {
  log[levelOf(requestContext)]("request", {
    requestId: requestContext.id,
    method: requestContext.method,
    path: requestContext.path,
    status: requestContext.status,
    ms: Math.round(requestContext.elapsedMs * 10) / 10,
    ...generated(requestContext),
    ...failed(requestContext),
  })
}

function levelOf({
  method,
  path,
  outcome,
  recoveredError,
}: RequestContext): "debug" | "info" | "warn" | "error" {
  const isGood = outcome < 400
  if (isGood && recoveredError !== undefined) return "warn"
  const { log } = policyOf(path)
  if (isGood && (method === "OPTIONS" || log !== "normal")) return "debug"
  if (outcome === 503 && log === "probe") return "debug"
  // Leaving is how a client ends a stream that has no end.
  if (outcome === 499 && log === "quiet") return "debug"
  // A busy or stopping server answers with 503: nothing is broken.
  if (outcome === 503) return "warn"
  return outcome >= 500 ? "error" : "info"
}

function generated(requestContext: RequestContext): LogFields {
  const { named, model = named, requests, promptTokens, generatedTokens, answer, amounts } = requestContext
  if (model === undefined) return {}
  if (requests.length === 0) return { model }
  const content =
    answer === undefined
      ? {}
      : { prompts: requests.map((request) => taskOf(request).logged(request)), answer: new WholeText(answer) }
  // Only text models report token counts.
  const isText = requests.every(isGenerationRequest)
  return { model, ...(amounts ?? (isText && { promptTokens, tokens: generatedTokens })), ...content }
}

function failed({ recoveredError, error = recoveredError }: RequestContext): LogFields {
  if (error === undefined) return {}
  const { code, message } = error
  const stack = traceOf(error)
  // Details that are not sent to the client: the file in a system error, and the origin of an internal error.
  const isSystems = error instanceof SystemFailed || error instanceof StorageFailed
  const reason = isSystems ? { reason: placeAndReason(error.cause) } : {}
  return { code, message, ...reason, ...(stack !== undefined && { stack }) }
}
