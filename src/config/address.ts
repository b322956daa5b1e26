import { SETTINGS } from "../limits"
import { type ConfigValue, refusal } from "./values"

const ADDRESS_RULE = "HOST, HOST:PORT or a URL"

/** Where a server listens, or can be reached. */
export interface Address {
  readonly tls: boolean
  /** Without the brackets of IPv6 addresses in URLs. */
  readonly hostname: string
  readonly port: number | undefined
}

/**
 * Parses `HOST`, `HOST:PORT`, `:PORT` or a URL.
 * @throws UsageError naming `origin`
 */
export function parseAddress(given: string, origin: string): Address {
  if (given.length > SETTINGS.text.maxLength) throw refusal(origin, ADDRESS_RULE, `'${given}'`)
  const text = given.trim()
  const withHost = text.startsWith(":") && !text.startsWith("::") ? `127.0.0.1${text}` : text
  const isBareIpv6 = /^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*$/i.test(withHost)
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(withHost)
  const url = URL.parse(hasScheme ? withHost : `http://${isBareIpv6 ? `[${withHost}]` : withHost}`)
  if (url === null || url.hostname === "" || !/^https?:$/.test(url.protocol)) {
    throw refusal(origin, ADDRESS_RULE, `'${given}'`)
  }
  const tls = url.protocol === "https:"
  // URL drops its scheme's default port even if written explicitly; a URL without a port means the default one too.
  const port =
    url.port !== "" ? Number(url.port) : hasScheme || /:\d+$/.test(withHost) ? (tls ? 443 : 80) : undefined
  const bracketless = url.hostname.replace(/^\[|\]$/g, "")
  return { tls, hostname: bracketless, port: isBareIpv6 ? undefined : port }
}

/** {@link parseAddress} as a kind of setting. */
export const address: ConfigValue<Address> = {
  placeholder: "ADDRESS",
  rule: ADDRESS_RULE,
  schema: { type: "string", minLength: 1 },
  parse: parseAddress,
  read: (given, origin) => parseAddress(String(given), origin),
  show: ({ tls, hostname, port }) => {
    const host = hostname.includes(":") ? `[${hostname}]` : hostname
    return `${tls ? "https://" : ""}${host}${port === undefined ? "" : `:${port}`}`
  },
}

/** Is the server reachable from this machine only? */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** The address as a URL for clients on this machine. */
export function clientUrl({ tls, hostname }: Address, port: number): string {
  const reachable = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname
  const host = reachable.includes(":") ? `[${reachable}]` : reachable
  return `${tls ? "https" : "http"}://${host}:${port}`
}

/** The URL of a server, optionally with a path; without a trailing slash. */
export const webUrl: ConfigValue<string> = {
  placeholder: "URL",
  rule: "a URL such as https://example.com/xllm",
  schema: { type: "string", minLength: 1 },
  parse: parseWebUrl,
  read: (given, origin) => parseWebUrl(String(given), origin),
  show: String,
}

function parseWebUrl(given: string, origin: string): string {
  if (given.length > SETTINGS.text.maxLength) throw refusal(origin, webUrl.rule, `'${given}'`)
  const url = URL.parse(given.trim())
  const isPlain =
    url !== null && url.search === "" && url.hash === "" && url.username === "" && url.password === ""
  if (!isPlain || !/^https?:$/.test(url.protocol)) throw refusal(origin, webUrl.rule, `'${given}'`)
  return url.href.replace(/\/+$/, "")
}
