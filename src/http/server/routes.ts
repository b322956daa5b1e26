import { IMAGES_PATH } from "../image-files/route"
import type { RouteAccess } from "../plugins/auth"

/** How a route is treated, besides what it answers. */
export interface RoutePolicy {
  readonly access: RouteAccess
  /**
   * `quiet`: a success is logged for debugging only. `probe`: so is a 503, since that a server is not ready is an answer
   * like any other.
   */
  readonly log: "normal" | "quiet" | "probe"
}

const ORDINARY: RoutePolicy = { access: "key", log: "normal" }

/** The routes that are not treated as all others. A star stands for the last segment of a path. */
export const ROUTE_POLICIES: ReadonlyMap<string, RoutePolicy> = new Map<string, RoutePolicy>([
  // Tell an orchestrator whether to restart the server or to send it work; it has no place for a key.
  ["/v0/health/live", { access: "open", log: "probe" }],
  ["/v0/health/ready", { access: "open", log: "probe" }],
  ["/v0/health", { access: "key", log: "probe" }],
  ["/metrics", { access: "metrics", log: "quiet" }],
  ["/v0/metrics", { access: "metrics", log: "quiet" }],
  // Pages show images by their URLs, without any key; their names cannot be guessed.
  [`${IMAGES_PATH}*`, { access: "open", log: "normal" }],
])

/** The policy of a path, written exactly so: the router also takes a slash at its end, which opens nothing. */
export function policyOf(path: string): RoutePolicy {
  const siblings = `${path.slice(0, path.lastIndexOf("/"))}/*`
  return ROUTE_POLICIES.get(path) ?? ROUTE_POLICIES.get(siblings) ?? ORDINARY
}
