import { lookup } from "node:dns/promises"
import type { IncomingMessage } from "node:http"
import type { LookupFunction } from "node:net"
import { reasonOf, XllmError } from "../../../errors/base"
import { InvalidRequest } from "../../../errors/request"
import { formatSize } from "../../../lib/text/bytes"
import { FETCHED_MEDIA } from "../../../limits"
import { isPublicAddress } from "./public-address"

interface Address {
  readonly address: string
  readonly family: number
}

interface PictureFetch {
  readonly maxBytes: number
  /** The addresses of a host; default: the system's. */
  readonly resolve?: (host: string) => Promise<readonly Address[]>
  /** Default: those of the public internet only. */
  readonly isAllowed?: (address: string) => boolean
}

/**
 * Loads a picture from the web. The connection goes to an address that was checked, not to a name that may have another
 * address a moment later; each redirect is checked anew.
 * @param path the field that the URL is from
 * @throws InvalidRequest
 */
export async function fetchPicture(path: string, url: string, options: PictureFetch): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(FETCHED_MEDIA.seconds * 1000)
  try {
    let next = url
    for (let redirects = 0; redirects <= FETCHED_MEDIA.redirects; redirects++) {
      const response = await open(next, options, signal)
      const { statusCode = 0, headers } = response
      if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
        response.destroy()
        next = new URL(headers.location, next).href
        continue
      }
      if (statusCode === 200) return await readAll(response, options.maxBytes)
      response.destroy()
      throw new Error(`its server answered with status ${statusCode}`)
    }
    throw new Error(`it is redirected more than ${FETCHED_MEDIA.redirects} times`)
  } catch (error) {
    if (error instanceof XllmError) throw error
    const reason = signal.aborted ? `it takes longer than ${FETCHED_MEDIA.seconds} s` : reasonOf(error)
    throw new InvalidRequest(`${path} cannot be loaded: ${reason}`, path)
  }
}

async function open(
  url: string,
  { resolve = resolveHost, isAllowed = isPublicAddress }: PictureFetch,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { protocol, hostname, username, href } = parse(url)
  if (protocol !== "http:" && protocol !== "https:") throw new Error(`it leads to a ${protocol} URL`)
  if (username !== "") throw new Error("it has a user name")
  const host = hostname.replace(/^\[|\]$/g, "")
  const addresses = await aborted(resolve(host), signal)
  const address = addresses.find((one) => isAllowed(one.address))
  // A host with any private address is not trusted with its public ones either.
  if (address === undefined || !addresses.every((one) => isAllowed(one.address)))
    throw new Error(`${host} is not a host of the public internet`)
  const { request } = protocol === "https:" ? await import("node:https") : await import("node:http")
  const pinned = ((_host, { all }, done) =>
    all === true
      ? done(null, [{ address: address.address, family: address.family }])
      : done(null, address.address, address.family)) satisfies LookupFunction as LookupFunction
  return await new Promise((opened, failed) => {
    const headers = { accept: "image/*", "user-agent": "xllm" }
    const sent = request(href, { lookup: pinned, signal, headers, agent: false }, opened)
    sent.on("error", failed)
    sent.end()
  })
}

function parse(url: string): URL {
  if (url.length > FETCHED_MEDIA.url.maxLength)
    throw new Error(`it has more than ${FETCHED_MEDIA.url.maxLength} characters`)
  const parsed = URL.parse(url)
  if (parsed === null) throw new Error("it is not a valid URL")
  return parsed
}

async function resolveHost(host: string): Promise<readonly Address[]> {
  return await lookup(host, { all: true })
}

async function readAll(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) {
      response.destroy()
      throw new Error(`it has more than ${formatSize(maxBytes)}`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** `work`, or a rejection once the signal is aborted. */
async function aborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = () => reject(new Error("aborted"))
  signal.addEventListener("abort", stop, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener("abort", stop)
  }
}
