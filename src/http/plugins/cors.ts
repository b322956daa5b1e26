import { cors as elysiaCors } from "@elysiajs/cors"

/** Pages on this machine, on any port. */
const LOCAL_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/

/** Request headers that OpenAI's and our own clients send from a browser. */
const REQUEST_HEADERS = [
  "accept",
  "authorization",
  "content-type",
  "openai-organization",
  "openai-project",
  "user-agent",
  "x-request-id",
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
 * Lets pages from this machine call the server, and those of `origins` (`*`: all). Everything is named, because the
 * plugin's own defaults allow every origin with credentials.
 */
export function cors(origins: readonly string[]) {
  return elysiaCors({
    origin: origins.includes("*") ? "*" : [LOCAL_ORIGIN, ...origins],
    methods: ["GET", "HEAD", "POST", "OPTIONS"],
    allowedHeaders: REQUEST_HEADERS,
    exposeHeaders: ["x-request-id", "retry-after"],
    credentials: false,
    // Browsers ask at most once in ten minutes.
    maxAge: 600,
  })
}
