import { createHash, timingSafeEqual } from "node:crypto"
import { Elysia } from "elysia"
import { InvalidApiKey } from "../../errors/request"
import { pathOf } from "../context/request-context"
import { type CurrentSettings, derived } from "../context/settings"

/** Who may use a route: anyone, anyone where the metrics are public, or only a client with a key. */
export type RouteAccess = "open" | "metrics" | "key"

/** Where the server has API keys, refuses requests without one, except on the paths that `accessOf` opens. */
export function auth(settings: CurrentSettings, accessOf: (path: string) => RouteAccess) {
  const digests = derived(settings, ({ apiKeys }) => apiKeys.map(digestOf))
  return new Elysia({ name: "auth" }).onRequest(({ request }) => {
    const keys = digests()
    if (keys.length === 0) return
    const access = accessOf(pathOf(request))
    if (access === "open" || (access === "metrics" && settings().metricsPublic)) return
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
