import { cors as elysiaCors } from "@elysiajs/cors"
import { originCheck } from "../origins"
import type { CurrentSettings } from "../settings"

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
  const isAllowed = originCheck(settings)
  return elysiaCors({
    origin: (request) => {
      const origin = request.headers.get("origin")
      return origin !== null && isAllowed(origin)
    },
    methods: ["GET", "HEAD", "POST", "OPTIONS"],
    allowedHeaders: REQUEST_HEADERS,
    exposeHeaders: ["x-request-id", "x-sample-rate", "retry-after"],
    credentials: false,
    // Browsers ask at most once in ten minutes.
    maxAge: 600,
  })
}
