import { OriginNotAllowed } from "../../errors/request"
import { type CurrentSettings, derived } from "./settings"

/** Pages on this machine, on any port: names below `localhost` never leave a machine (RFC 6761). */
const LOCAL_ORIGIN = /^https?:\/\/(?:(?:[\w-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/

/**
 * Pages that are part of an application: web sites cannot have these schemes. Files that a browser opens are not
 * among them: their origin is `null`, as that of any site's sandboxed frame.
 */
const APP_ORIGIN = /^(?:app|capacitor|electron|file|ionic|tauri|vscode-file|vscode-webview):\/\//

/** Tells of a page's origin whether the page may call the server: this machine's, applications' and configured ones. */
export function originCheck(settings: CurrentSettings): (origin: string) => boolean {
  const isListed = derived(settings, ({ corsOrigins }) => matcher(corsOrigins))
  return (origin) => LOCAL_ORIGIN.test(origin) || APP_ORIGIN.test(origin) || isListed()(origin)
}

/**
 * Programs that are no browsers send no Origin; browsers send one with everything that is no mere reading, and where an
 * old one does not, Sec-Fetch-Site may tell that a page is behind it.
 * @throws OriginNotAllowed for a page of another site that may not call the server
 */
export function checkOrigin({ headers }: Request, isAllowed: (origin: string) => boolean): void {
  const origin = headers.get("origin")
  if (origin === null) {
    const site = headers.get("sec-fetch-site")
    if (site === null || site === "same-origin" || site === "none") return
    throw new OriginNotAllowed()
  }
  if (isAllowed(origin)) return
  // A page that was served under the server's own name, as by a proxy in front of both.
  if (URL.parse(origin)?.host === headers.get("host")) return
  throw new OriginNotAllowed(origin)
}

/** Is an origin one of `patterns`? A star stands for any part of a name or for a port. */
function matcher(patterns: readonly string[]): (origin: string) => boolean {
  if (patterns.includes("*")) return () => true
  const expressions = patterns.map((pattern) => {
    const literal = pattern.replace(/\/$/, "").replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    return new RegExp(`^${literal.replaceAll("*", "[\\w.-]+")}$`, "i")
  })
  return (origin) => expressions.some((expression) => expression.test(origin))
}
