import { createHash, timingSafeEqual } from "node:crypto"
import { Elysia } from "elysia"
import { InvalidApiKey } from "../../errors/request"
import { pathOf, requestContextOf } from "../context/request-context"
import { type CurrentSettings, derived } from "../context/settings"

/** Which clients may use a route: all, all if the metrics are public, or only those with a key. */
export type RouteAccess = "open" | "metrics" | "key"

/** If the server has API keys, refuses requests without one, except where `accessOf` opens a path. */
export function auth(settings: CurrentSettings, accessOf: (path: string, request: Request) => RouteAccess) {
  const digests = derived(settings, ({ apiKeys }) => apiKeys.map(digestOf))
  return new Elysia({ name: "auth" }).onRequest(({ request }) => {
    const keys = digests()
    if (keys.length === 0) return
    const access = accessOf(pathOf(request), request)
    if (access === "open" || (access === "metrics" && settings().metricsPublic)) return
    const given = credentialsOf(request.headers)
    if (given.length === 0 || !given.every((key) => key !== undefined && isOneOf(key, keys))) {
      throw new InvalidApiKey(given.length > 0)
    }
    const requestContext = requestContextOf(request)
    requestContext.owner = ownerOf(given)
    if (settings().cachePerKey) requestContext.cacheOwner = requestContext.owner
  })
}

/**
 * The keys in a request: from OpenAI's header, and from that of Anthropic's and other clients. All must be valid:
 * with a wrong key beside a right one it is unclear which is meant. Undefined: not a possible key.
 */
function credentialsOf(headers: Headers): readonly (string | undefined)[] {
  const key = headers.get("x-api-key")
  return [...bearersOf(headers.get("authorization")?.trim() ?? ""), ...(key ? [key] : [])]
}

/** Clients without a key send an empty one. */
function bearersOf(authorization: string): readonly (string | undefined)[] {
  if (/^(?:bearer)?$/i.test(authorization)) return []
  return [/^bearer +(\S+)$/i.exec(authorization)?.[1]]
}

/** The same for the same key; the key cannot be found out from it. */
function ownerOf(keys: readonly (string | undefined)[]): string {
  return digestOf([...new Set(keys)].join(" ")).toString("hex")
}

/** Compares digests of equal length in constant time, whatever the key is and whichever one it equals. */
function isOneOf(given: string, keys: readonly Buffer[]): boolean {
  const digest = digestOf(given)
  return keys.reduce((found, key) => timingSafeEqual(digest, key) || found, false)
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest()
}
