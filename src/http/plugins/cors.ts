import { type CORSConfig, cors as elysiaCors } from "@elysiajs/cors"
import { Elysia } from "elysia"
import type { KnownRoutes } from "../context/known-routes"
import { originCheck } from "../context/origins"
import { pathOf } from "../context/request-context"
import type { CurrentSettings } from "../context/settings"

/** Response headers that pages may read besides the ones that are always readable. */
const EXPOSED_HEADERS = "x-request-id, x-sample-rate, x-warning, retry-after"

/** Allowed in the answer to a preflight that names no headers: those that our own clients send. */
const USUAL_HEADERS = "authorization, content-type, x-api-key, x-request-id, x-request-timeout"

/** Every client takes 200 for a success; llama-server's and some older browsers take 204 for none. */
const PREFLIGHT_STATUS = 200

/** How long a browser may cache the answer to a preflight, in seconds. */
const MAX_AGE = 600

/**
 * Lets local pages, desktop applications and the configured origins call the server with any headers: libraries add
 * their own, and a page gains nothing by them that another program could not do. Without credentials: the server does
 * not use cookies or a browser's passwords.
 *
 * The plugin is used twice, for all responses and for preflights, because it has a single set of options and adds all
 * of them to every response.
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
    // A list would be added to every response, even to refusals by earlier plugins.
    allowedHeaders: true,
    exposeHeaders: true,
    credentials: false,
    // The plugin treats every OPTIONS as a preflight, and allows methods and headers to every page.
    preflight: false,
  }
  const preflights = elysiaCors({
    origin: isReadable,
    methods: ["GET", "HEAD", "POST", "DELETE", "OPTIONS"],
    allowedHeaders: true,
    exposeHeaders: EXPOSED_HEADERS,
    credentials: false,
    maxAge: MAX_AGE,
  })
  return new Elysia({ name: "cors" }).use(elysiaCors(responses)).onRequest(async ({ request, set }) => {
    const readable = isReadable(request)
    // With `true` the plugin lists the request's own headers in both.
    delete set.headers["access-control-allow-headers"]
    delete set.headers["access-control-expose-headers"]
    if (readable) set.headers["access-control-expose-headers"] = EXPOSED_HEADERS
    if (request.method !== "OPTIONS") return undefined
    if (!request.headers.has("access-control-request-method")) return allow(routes.methodsOf(pathOf(request)))
    if (!readable) return new Response(null, { status: PREFLIGHT_STATUS })
    const { headers } = await preflights.handle(request)
    headers.append("vary", "Access-Control-Request-Headers")
    if (!request.headers.has("access-control-request-headers")) {
      headers.set("access-control-allow-headers", USUAL_HEADERS)
    }
    return new Response(null, { status: PREFLIGHT_STATUS, headers })
  })
}

/** The answer to an OPTIONS request that is not a preflight; undefined if the path does not exist. */
function allow(methods: readonly string[]): Response | undefined {
  if (methods.length === 0) return undefined
  return new Response(null, { status: 204, headers: { allow: [...methods, "OPTIONS"].join(", ") } })
}
