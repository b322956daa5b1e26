import { hostname } from "node:os"
import { Elysia } from "elysia"
import { HostNotAllowed, InvalidRequest } from "../../errors/request"
import { type CurrentSettings, derived } from "../context/settings"

/** Host and port as the header has them: a name, an IPv4 address, or an IPv6 address in brackets, maybe with its zone. */
const AUTHORITY = /^(?:\[([\da-f:.]+)(?:%[\w.~%-]+)?\]|([^\s:/?#@[\],]+))(?::\d{1,5})?$/i

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/

/**
 * Refuses requests for hosts that are not ours. A web page can give its own name the address of this machine after it
 * was loaded (DNS rebinding); the browser then takes us for the page's own server and asks nobody's leave. What it
 * cannot do is send another Host than the page's, or none: that is HTTP/1.0, which health checks of proxies speak (HTTP/1.1
 * without a Host is refused by Bun). Addresses are no names, so none can be rebound.
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
  /** In small letters, without brackets and the root's dot. */
  readonly name: string
  readonly isAddress: boolean
}

/** @throws InvalidRequest where it is none */
function parseHost(given: string): Host {
  const [, ipv6, name] = AUTHORITY.exec(given) ?? []
  if (ipv6 !== undefined) return { name: ipv6.toLowerCase(), isAddress: true }
  if (name === undefined) throw new InvalidRequest("the request needs a valid Host header")
  return { name: name.toLowerCase().replace(/\.$/, ""), isAddress: IPV4.test(name) }
}

/** Names below `localhost` never leave a machine (RFC 6761). */
function isOwn({ name, isAddress }: Host, machine: string): boolean {
  return isAddress || name === "localhost" || name.endsWith(".localhost") || name === machine
}

/** Is a name one of `patterns`? */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const all = patterns.map((pattern) => pattern.toLowerCase())
  if (all.includes("*")) return () => true
  const names = new Set(all)
  const endings = all.filter((pattern) => pattern.startsWith("*.")).map((pattern) => pattern.slice(1))
  return (name) => names.has(name) || endings.some((ending) => name.endsWith(ending))
}
