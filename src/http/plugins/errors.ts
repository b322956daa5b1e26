import { Elysia } from "elysia"
import { asXllmError, XllmError } from "../../errors/base"
import {
  Cancelled,
  InvalidApiKey,
  InvalidRequest,
  MethodNotAllowed,
  NotFound,
  UnsupportedEncoding,
} from "../../errors/request"
import type { KnownRoutes } from "../context/known-routes"
import { requestContextOf } from "../context/request-context"
import { dialectOf } from "./dialects"

/**
 * Turns every error of a route into a response of its dialect. Must be the first plugin: hooks apply only to what is
 * registered after them. `routes` is used when a path or method is not found; `nameOf` returns the engine's name for
 * a model.
 */
export function errors(routes: KnownRoutes, nameOf: (model: string) => Promise<string>) {
  return new Elysia({ name: "errors" }).onError({ as: "global" }, async ({ error, code, request }) => {
    const requestContext = requestContextOf(request)
    const { method, path, named, model } = requestContext
    const known = code === "NOT_FOUND" ? notFound(method, path, routes) : toXllmError(error, code, request)
    const failure = requestContext.failed(known)
    // A request that was refused before it reached the engine still counts for its model.
    if (named !== undefined && model === undefined)
      await nameOf(named).then(
        (name) => requestContext.found(name),
        () => {},
      )
    return errorResponse(failure, path, requestContext.id)
  })
}

/** The response to a request that failed before anything was sent, in the dialect of its path. */
export function errorResponse(error: XllmError, path: string, requestId?: string): Response {
  const headers = new Headers()
  if (error.retryAfterSeconds !== undefined) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterSeconds))))
  }
  if (error instanceof MethodNotAllowed) headers.set("allow", error.allowed.join(", "))
  if (error instanceof UnsupportedEncoding) headers.set("accept-encoding", UnsupportedEncoding.accepted)
  if (error instanceof InvalidApiKey) headers.set("www-authenticate", "Bearer")
  return Response.json(dialectOf(path).renderError(error, requestId), { status: error.status, headers })
}

function toXllmError(error: unknown, code: string | number, request: Request): XllmError {
  if (error instanceof XllmError) return error
  // For example an incomplete body.
  if (request.signal.aborted) return new Cancelled()
  // Elysia's own errors about a request; our routes read and check their bodies themselves.
  if (code === "PARSE" || code === "VALIDATION") return new InvalidRequest("the request could not be read")
  return asXllmError(error)
}

function notFound(method: string, path: string, routes: KnownRoutes): XllmError {
  const allowed = routes.methodsOf(path)
  if (allowed.length === 0) return new NotFound(method, path, routes.likeliest(method, path))
  return new MethodNotAllowed(method, path, allowed)
}
