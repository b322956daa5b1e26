import { Elysia } from "elysia"
import type { KnownRoutes } from "../context/known-routes"
import { originCheck } from "../context/origins"
import { pathOf } from "../context/request-context"
import type { CurrentSettings } from "../context/settings"

/** Response headers that pages may read beside those that all may. */
const EXPOSED = "x-request-id, x-sample-rate, retry-after"

/** For a preflight that names no headers: what clients of ours send. */
const USUAL_HEADERS = "authorization, content-type, x-api-key, x-request-id, x-request-timeout"

const METHODS = "GET, HEAD, POST, OPTIONS"

/** How long a browser may remember an answer, in seconds. */
const MAX_AGE = "600"

/**
 * Lets pages from this machine, desktop applications and the configured origins call the server, with whatever headers
 * they like: libraries send headers of their own, and none of them means more here than in a request of no page.
 * Without credentials: a browser's cookies and passwords are nothing to the server.
 */
export function cors(settings: CurrentSettings, routes: KnownRoutes) {
  const isAllowed = originCheck(settings)
  return new Elysia({ name: "cors" }).onRequest(({ request, set }) => {
    const { headers, method } = request
    set.headers["vary"] = "Origin"
    const origin = headers.get("origin")
    const isReadable = origin !== null && isAllowed(origin)
    if (isReadable) {
      set.headers["access-control-allow-origin"] = origin
      set.headers["access-control-expose-headers"] = EXPOSED
    }
    if (method !== "OPTIONS") return
    if (!headers.has("access-control-request-method")) return allow(routes.methodsOf(pathOf(request)))
    if (isReadable) {
      set.headers["vary"] = "Origin, Access-Control-Request-Headers"
      set.headers["access-control-allow-methods"] = METHODS
      set.headers["access-control-allow-headers"] =
        headers.get("access-control-request-headers") ?? USUAL_HEADERS
      set.headers["access-control-max-age"] = MAX_AGE
    }
    return new Response(null, { status: 204 })
  })
}

/** The answer to somebody who asks what can be done with a path; a path that is not there has none of its own. */
function allow(methods: readonly string[]): Response | undefined {
  if (methods.length === 0) return undefined
  return new Response(null, { status: 204, headers: { allow: [...methods, "OPTIONS"].join(", ") } })
}
