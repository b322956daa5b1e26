import { IMAGES_PATH } from "../image-files/route"
import type { RouteAccess } from "../plugins/auth"
import { FILES_PATH } from "../web/page-file"

/** How a route is protected and logged. */
export interface RoutePolicy {
  readonly access: RouteAccess
  /** `quiet`: successes are logged at debug level. `probe`: so are 503s, because "not ready" is a normal answer. */
  readonly log: "normal" | "quiet" | "probe"
}

const ORDINARY: RoutePolicy = { access: "key", log: "normal" }

/** The routes with a policy other than the default. A star stands for the last segment of a path. */
export const ROUTE_POLICIES: ReadonlyMap<string, RoutePolicy> = new Map<string, RoutePolicy>([
  // Orchestrators use these to restart the server or to send it work, and cannot send a key.
  ["/v0/health/live", { access: "open", log: "probe" }],
  ["/v0/health/ready", { access: "open", log: "probe" }],
  // llama-server's, for those that proxy it.
  ["/health", { access: "open", log: "probe" }],
  ["/v1/health", { access: "open", log: "probe" }],
  ["/v0/health", { access: "key", log: "probe" }],
  ["/metrics", { access: "metrics", log: "quiet" }],
  ["/v0/metrics", { access: "metrics", log: "quiet" }],
  // Pages show images by URL, without a key; their names cannot be guessed.
  [`${IMAGES_PATH}*`, { access: "open", log: "normal" }],
  // Pages ask for these all the time.
  ["/v0/events", { access: "key", log: "quiet" }],
  ["/v0/requests", { access: "key", log: "quiet" }],
  ["/v0/log", { access: "key", log: "quiet" }],
  // The page asks for the key itself.
  ["/", { access: "key", log: "quiet" }],
  ["/ui", { access: "open", log: "quiet" }],
  [`${FILES_PATH}*`, { access: "open", log: "quiet" }],
])

/** The policy of exactly this path: the router also accepts a trailing slash, but that opens nothing. */
export function policyOf(path: string): RoutePolicy {
  const siblings = `${path.slice(0, path.lastIndexOf("/"))}/*`
  return ROUTE_POLICIES.get(path) ?? ROUTE_POLICIES.get(siblings) ?? ORDINARY
}
