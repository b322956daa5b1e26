import type { GenerationRequest } from "../domain"
import type { LogFields, Logger } from "../log/logger"
import type { Exchange } from "./exchange"

/** What machines ask every few seconds; that a server is not ready yet is an answer like another. */
const PROBES = /^\/v0\/health(?:\/\w+)?$/

/** Asked as often, and worth no line where it went well. */
const SCRAPES = /^(?:\/v0)?\/metrics$/

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
  const isGood = outcome < 400
  if (isGood && (method === "OPTIONS" || SCRAPES.test(path))) return "debug"
  if ((isGood || outcome === 503) && PROBES.test(path)) return "debug"
  // A server that is busy or stopping says so: nothing is broken.
  if (outcome === 503) return "warn"
  return outcome >= 500 ? "error" : "info"
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
