import { type CORSConfig, cors as elysiaCors } from "@elysiajs/cors"
import { Elysia } from "elysia"
import type { KnownRoutes } from "../context/known-routes"
import { originCheck } from "../context/origins"
import { pathOf } from "../context/request-context"
import type { CurrentSettings } from "../context/settings"

/** Response headers that pages may read in addition to the ones that all pages may. */
const EXPOSED_HEADERS = "x-request-id, x-sample-rate, retry-after"

/** Allowed by a preflight that asks for no headers: the ones that our own clients send. */
const USUAL_HEADERS = "authorization, content-type, x-api-key, x-request-id, x-request-timeout"

/** How long a browser may keep the answer to a preflight, in seconds. */
const MAX_AGE = 600

/**
 * Lets pages from this machine, desktop applications and the configured origins call the server with any headers:
 * libraries send headers of their own, and none of them means more here than in a request from a program. Without
 * credentials: the server has no use for a browser's cookies and passwords.
 *
 * The plugin is used twice, once for every response and once for preflights, because it has one set of options for both
 * and puts all of them into every response.
 */
export function cors(settings: CurrentSettings, routes: KnownRoutes) {
  const isAllowed = originCheck(settings)
  const isReadable = ({ headers }: Request): boolean => {
    const origin = headers.get("origin")
    return origin !== null && isAllowed(origin)
  }
  const responses: CORSConfig = {
    origin: isReadable,
    methods: false,
    // A list would be in every response, even where the request was refused before it came here.
    allowedHeaders: true,
    exposeHeaders: true,
    credentials: false,
    // The plugin takes every OPTIONS for a preflight, and allows methods and headers to every page.
    preflight: false,
  }
  const preflights = elysiaCors({
    origin: isReadable,
    methods: ["GET", "HEAD", "POST", "OPTIONS"],
    allowedHeaders: true,
    exposeHeaders: EXPOSED_HEADERS,
    credentials: false,
    maxAge: MAX_AGE,
  })
  return new Elysia({ name: "cors" }).use(elysiaCors(responses)).onRequest(async ({ request, set }) => {
    const readable = isReadable(request)
    // With `true` the plugin names the request's own headers in both.
    delete set.headers["access-control-allow-headers"]
    delete set.headers["access-control-expose-headers"]
    if (readable) set.headers["access-control-expose-headers"] = EXPOSED_HEADERS
    if (request.method !== "OPTIONS") return undefined
    if (!request.headers.has("access-control-request-method")) return allow(routes.methodsOf(pathOf(request)))
    if (!readable) return new Response(null, { status: 204 })
    const response = await preflights.handle(request)
    response.headers.append("vary", "Access-Control-Request-Headers")
    if (!request.headers.has("access-control-request-headers")) {
      response.headers.set("access-control-allow-headers", USUAL_HEADERS)
    }
    return response
  })
}

/** The answer to OPTIONS without a preflight; undefined where there is no such path. */
function allow(methods: readonly string[]): Response | undefined {
  if (methods.length === 0) return undefined
  return new Response(null, { status: 204, headers: { allow: [...methods, "OPTIONS"].join(", ") } })
}
