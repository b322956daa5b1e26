import { createHash, timingSafeEqual } from "node:crypto"
import { Elysia } from "elysia"
import { InvalidApiKey } from "../../errors/request"
import { pathOf } from "../context/request-context"
import { type CurrentSettings, derived } from "../context/settings"
import { IMAGES_PATH } from "../image-files/route"

/** What tells an orchestrator whether to restart the server or to send it work; it has no place for a key. */
const OPEN_PATHS = new Set(["/v0/health/live", "/v0/health/ready"])

/** Who knows the name of an image was given it; pages show images by their URLs, without any key. */
const isImage = (path: string) => path.startsWith(IMAGES_PATH) && !path.includes("/", IMAGES_PATH.length)

const METRICS_PATHS = new Set(["/metrics", "/v0/metrics"])

/** Where the server has API keys, refuses requests without one. */
export function auth(settings: CurrentSettings) {
  const digests = derived(settings, ({ apiKeys }) => apiKeys.map(digestOf))
  return new Elysia({ name: "auth" }).onRequest(({ request }) => {
    const keys = digests()
    if (keys.length === 0) return
    const path = pathOf(request)
    if (OPEN_PATHS.has(path) || isImage(path)) return
    if (settings().metricsPublic && METRICS_PATHS.has(path)) return
    const given = credentialsOf(request.headers)
    if (given.length === 0 || !given.every((key) => key !== undefined && isOneOf(key, keys))) {
      throw new InvalidApiKey(given.length > 0)
    }
  })
}

/**
 * What a request presents itself with: OpenAI's header, and the one of Anthropic's and others' clients. All of it has to
 * be a key: of a wrong one beside a right one nobody knows which was meant. Undefined: it cannot be one.
 */
function credentialsOf(headers: Headers): readonly (string | undefined)[] {
  const key = headers.get("x-api-key")
  return [...bearersOf(headers.get("authorization")?.trim() ?? ""), ...(key ? [key] : [])]
}

/** Of a client without a key an empty one is sent. */
function bearersOf(authorization: string): readonly (string | undefined)[] {
  if (/^(?:bearer)?$/i.test(authorization)) return []
  return [/^bearer +(\S+)$/i.exec(authorization)?.[1]]
}

/** Digests of equal length take the same time to compare, whatever the key is and whichever it equals. */
function isOneOf(given: string, keys: readonly Buffer[]): boolean {
  const digest = digestOf(given)
  return keys.reduce((found, key) => timingSafeEqual(digest, key) || found, false)
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest()
}
