import { Elysia } from "elysia"
import { asXllmError, Cancelled, InvalidRequest, MethodNotAllowed, NotFound, XllmError } from "../../errors"
import type { Logger } from "../../log/logger"
import { REQUEST_ID_HEADER } from "./request-id"

/** A route that exists. `path` may end with `*`, which stands for anything. */
export interface KnownRoute {
  readonly method: string
  readonly path: string
}

/**
 * Turns everything that a route throws into the answer of its dialect. Has to be the first plugin: hooks apply only to
 * what is registered after them. `routes` is asked when a path or method was not found.
 */
export function errors(log: Logger, routes: () => readonly KnownRoute[]) {
  return new Elysia({ name: "errors" }).onError({ as: "global" }, ({ error, code, request, set }) => {
    const path = new URL(request.url).pathname
    const known =
      code === "NOT_FOUND" ? notFound(request.method, path, routes()) : toXllmError(error, code, request)
    if (known.status >= 500) {
      log.error("request failed", {
        requestId: set.headers[REQUEST_ID_HEADER],
        path,
        code: known.code,
        message: known.message,
      })
    }
    return errorResponse(known, path)
  })
}

/** The answer to a request that failed before anything was sent. */
function errorResponse(error: XllmError, path: string): Response {
  const headers = new Headers()
  if (error.retryAfterSeconds !== undefined) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterSeconds))))
  }
  if (error instanceof MethodNotAllowed) headers.set("allow", error.allowed.join(", "))
  const body = path.startsWith("/api/") ? { error: error.message } : openAiErrorBody(error)
  return Response.json(body, { status: error.status, headers })
}

/** The error as OpenAI's API words it; in a stream it is sent as an event of its own. */
export function openAiErrorBody(error: XllmError): Readonly<Record<string, unknown>> {
  return {
    error: {
      message: error.message,
      type: error.status >= 500 ? "server_error" : "invalid_request_error",
      param: error.param ?? null,
      code: error.code,
      ...error.details,
    },
  }
}

function toXllmError(error: unknown, code: string | number, request: Request): XllmError {
  if (error instanceof XllmError) return error
  // Such as a body that broke off in the middle.
  if (request.signal.aborted) return new Cancelled()
  // Elysia's own complaints about a request; our routes read and check their bodies themselves.
  if (code === "PARSE" || code === "VALIDATION") return new InvalidRequest("the request could not be read")
  return asXllmError(error)
}

function notFound(method: string, path: string, routes: readonly KnownRoute[]): XllmError {
  // Preflight requests are answered on every path, also on those that are not there.
  const real = routes.filter((route) => route.method !== "OPTIONS" && matches(route.path, path))
  const allowed = real.map((route) => route.method)
  if (allowed.length === 0) return new NotFound(method, path)
  return new MethodNotAllowed(method, path, [...new Set(allowed)])
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : pattern === path
}
