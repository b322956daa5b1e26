import { createHash, timingSafeEqual } from "node:crypto"
import { Elysia } from "elysia"
import { InvalidApiKey } from "../../errors"
import { pathOf } from "../exchange"
import { IMAGES_PATH } from "../image-files/route"
import { type CurrentSettings, derived } from "../settings"

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
    const given = keyOf(request.headers)
    if (given === undefined || !isOneOf(given, keys)) throw new InvalidApiKey(given !== undefined)
  })
}

/** OpenAI's header, or the one of Anthropic's and others' clients. */
function keyOf(headers: Headers): string | undefined {
  const [, bearer] = /^bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? []
  return bearer ?? headers.get("x-api-key") ?? undefined
}

/** Digests of equal length take the same time to compare, whatever the key is and whichever it equals. */
function isOneOf(given: string, keys: readonly Buffer[]): boolean {
  const digest = digestOf(given)
  return keys.reduce((found, key) => timingSafeEqual(digest, key) || found, false)
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest()
}
