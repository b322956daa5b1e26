import type { GenerationRequest } from "../domain"
import type { LogFields, Logger } from "../log/logger"
import type { Exchange } from "./exchange"

/** What is asked every few seconds by machines, and worth no line where it went well. */
const ROUTINE = /^(?:\/v0\/health(?:\/\w+)?|(?:\/v0)?\/metrics)$/

/** Writes the one line that every request gets, when it is over. */
export function logExchange(log: Logger, exchange: Exchange): void {
  log[levelOf(exchange)]("request", {
    requestId: exchange.id,
    method: exchange.method,
    path: exchange.path,
    status: exchange.status,
    ms: Math.round(exchange.elapsedMs * 10) / 10,
    ...generated(exchange),
    ...failed(exchange),
  })
}

function levelOf({ method, path, outcome }: Exchange): "debug" | "info" | "warn" | "error" {
  // A server that is busy or stopping says so: nothing is broken.
  if (outcome === 503) return "warn"
  if (outcome >= 500) return "error"
  return outcome < 400 && (method === "OPTIONS" || ROUTINE.test(path)) ? "debug" : "info"
}

function generated({ model, requests, promptTokens, generatedTokens, answer }: Exchange): LogFields {
  if (model === undefined) return {}
  const content = answer === undefined ? {} : { prompts: requests.map(contentOf), answer }
  return { model, promptTokens, tokens: generatedTokens, ...content }
}

function contentOf(request: GenerationRequest): unknown {
  return request.kind === "chat" ? request.messages : request.prompt
}

function failed({ error }: Exchange): LogFields {
  if (error === undefined) return {}
  const { code, message, cause } = error
  // An error of ours that nobody foresaw: where it came from is what its report needs.
  const stack = code === "internal_error" && cause instanceof Error ? { stack: cause.stack } : {}
  return { code, message, ...stack }
}
