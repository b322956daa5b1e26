import { hostname } from "node:os"
import { Elysia } from "elysia"
import { HostNotAllowed, InvalidRequest } from "../../errors/request"
import { type CurrentSettings, derived } from "../context/settings"

/** Host and port as in the header: a name, an IPv4 address, or a bracketed IPv6 address with an optional zone. */
const AUTHORITY = /^(?:\[([\da-f:.]+)(?:%[\w.~%-]+)?\]|([^\s:/?#@[\],]+))(?::\d{1,5})?$/i

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/

/**
 * Refuses requests for hosts that are not ours. A web page can point its own name at this machine after it was loaded
 * (DNS rebinding); the browser then treats us as the page's own server and applies no cross-origin checks. But it can
 * only send the page's own Host. Requests without a Host are HTTP/1.0, used by health checks of proxies (Bun refuses
 * HTTP/1.1 without a Host). Addresses are always allowed: they cannot be rebound.
 */
export function hosts(settings: CurrentSettings) {
  const machine = hostname().toLowerCase()
  const isListed = derived(settings, ({ allowedHosts }) => matcher(allowedHosts))
  return new Elysia({ name: "hosts" }).onRequest(({ request }) => {
    const given = request.headers.get("host")
    if (given === null) return
    const host = parseHost(given)
    if (!isOwn(host, machine) && !isListed()(host.name)) throw new HostNotAllowed(host.name)
  })
}

interface Host {
  /** In lower case, without brackets and the trailing dot of the DNS root. */
  readonly name: string
  readonly isAddress: boolean
}

/** @throws InvalidRequest if it is not a host */
function parseHost(given: string): Host {
  const [, ipv6, name] = AUTHORITY.exec(given) ?? []
  if (ipv6 !== undefined) return { name: ipv6.toLowerCase(), isAddress: true }
  if (name === undefined) throw new InvalidRequest("the request needs a valid Host header")
  return { name: name.toLowerCase().replace(/\.$/, ""), isAddress: IPV4.test(name) }
}

/** Names below `localhost` never resolve to another machine (RFC 6761). */
function isOwn({ name, isAddress }: Host, machine: string): boolean {
  return isAddress || name === "localhost" || name.endsWith(".localhost") || name === machine
}

/** Does a name match one of `patterns`? */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const all = patterns.map((pattern) => pattern.toLowerCase())
  if (all.includes("*")) return () => true
  const names = new Set(all)
  const endings = all.filter((pattern) => pattern.startsWith("*.")).map((pattern) => pattern.slice(1))
  return (name) => names.has(name) || endings.some((ending) => name.endsWith(ending))
}
