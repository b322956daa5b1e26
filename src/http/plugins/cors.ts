import { cors as elysiaCors } from "@elysiajs/cors"
import { type CurrentSettings, derived } from "../settings"

/** Pages on this machine, on any port: names below `localhost` never leave a machine (RFC 6761). */
const LOCAL_ORIGIN = /^https?:\/\/(?:(?:[\w-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/

/**
 * Pages that are part of an application: web sites cannot have these schemes. Files that a browser opens are not
 * among them: their origin is `null`, as that of any site's sandboxed frame.
 */
const APP_ORIGIN = /^(?:app|capacitor|electron|file|ionic|tauri|vscode-file|vscode-webview):\/\//

/** Request headers that OpenAI's and our own clients send from a browser. */
const REQUEST_HEADERS = [
  "accept",
  "authorization",
  "content-type",
  "openai-organization",
  "openai-project",
  "user-agent",
  "x-api-key",
  "x-request-id",
  "x-request-timeout",
  "x-stainless-arch",
  "x-stainless-helper-method",
  "x-stainless-lang",
  "x-stainless-os",
  "x-stainless-package-version",
  "x-stainless-poll-helper",
  "x-stainless-retry-count",
  "x-stainless-runtime",
  "x-stainless-runtime-version",
  "x-stainless-timeout",
]

/**
 * Lets pages from this machine, desktop applications and the configured origins call the server. Everything is named,
 * because the plugin's own defaults allow every origin with credentials.
 */
export function cors(settings: CurrentSettings) {
  const isListed = derived(settings, ({ corsOrigins }) => matcher(corsOrigins))
  return elysiaCors({
    origin: (request) => {
      const origin = request.headers.get("origin")
      return origin !== null && (LOCAL_ORIGIN.test(origin) || APP_ORIGIN.test(origin) || isListed()(origin))
    },
    methods: ["GET", "HEAD", "POST", "OPTIONS"],
    allowedHeaders: REQUEST_HEADERS,
    exposeHeaders: ["x-request-id", "retry-after"],
    credentials: false,
    // Browsers ask at most once in ten minutes.
    maxAge: 600,
  })
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
