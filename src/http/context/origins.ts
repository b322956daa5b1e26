import { OriginNotAllowed } from "../../errors/request"
import { type CurrentSettings, derived } from "./settings"

/** Pages on this machine, on any port: names below `localhost` never resolve to another machine (RFC 6761). */
const LOCAL_ORIGIN = /^https?:\/\/(?:(?:[\w-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/

/**
 * Pages that belong to an application: web sites cannot use these schemes. Files opened in a browser are not
 * included: their origin is `null`, like that of any site's sandboxed frame.
 */
const APP_ORIGIN = /^(?:app|capacitor|electron|file|ionic|tauri|vscode-file|vscode-webview):\/\//

/**
 * Returns a check whether pages of an origin may call the server: local pages, applications and configured origins
 * may.
 */
export function originCheck(settings: CurrentSettings): (origin: string) => boolean {
  const isListed = derived(settings, ({ corsOrigins }) => matcher(corsOrigins))
  return (origin) => LOCAL_ORIGIN.test(origin) || APP_ORIGIN.test(origin) || isListed()(origin)
}

/**
 * Programs other than browsers send no Origin. Browsers send one with every request that is not a simple read; where
 * an old one does not, Sec-Fetch-Site may still reveal a page.
 * @throws OriginNotAllowed if a page of another site may not call the server
 */
export function checkOrigin({ headers }: Request, isAllowed: (origin: string) => boolean): void {
  const origin = headers.get("origin")
  if (origin === null) {
    const site = headers.get("sec-fetch-site")
    if (site === null || site === "same-origin" || site === "none") return
    throw new OriginNotAllowed()
  }
  if (isAllowed(origin)) return
  // A page served under the server's own name, for example by a proxy in front of both.
  if (URL.parse(origin)?.host === headers.get("host")) return
  throw new OriginNotAllowed(origin)
}

/** Does an origin match one of `patterns`? `*` matches any part of a name, or any port. */
function matcher(patterns: readonly string[]): (origin: string) => boolean {
  if (patterns.includes("*")) return () => true
  const expressions = patterns.map((pattern) => {
    const literal = pattern.replace(/\/$/, "").replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    return new RegExp(`^${literal.replaceAll("*", "[\\w.-]+")}$`, "i")
  })
  return (origin) => expressions.some((expression) => expression.test(origin))
}
