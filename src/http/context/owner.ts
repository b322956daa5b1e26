import { KeyRequired, OriginNotAllowed } from "../../errors/request"
import { requestContextOf } from "./request-context"

/** A setting's effective value and where it comes from; never a secret. */
export interface ReportedSetting {
  readonly path: string
  readonly shown: string
  readonly value: unknown
  readonly origin: { readonly source: string; readonly name: string }
}

/** What only the owner of the server may see. */
export interface OwnerReports {
  settings(): readonly ReportedSetting[]
  /** The newest lines of the log, oldest first, without line ends. */
  log(): readonly string[]
}

/** The part of Bun's server that is used here. */
export interface PeerAddresses {
  requestIP(request: Request): { readonly address: string } | null
}

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/

/** Proxies on this machine add these; what they pass on may come from anywhere. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip"]

/**
 * Refuses what a page of another site lets its browser fetch without reading the answer: that needs no preflight, and
 * would still make the server work.
 * @throws OriginNotAllowed
 */
export function checkNotEmbedded({ headers }: Request): void {
  if (headers.get("origin") === null && headers.get("sec-fetch-site") === "cross-site")
    throw new OriginNotAllowed()
}

/**
 * What changes the server or shows its inside needs a key, or a client on this machine: a server that others may use
 * without a key (`server.insecure`) is still its owner's.
 * @throws KeyRequired, OriginNotAllowed
 */
export function checkIsOwner(request: Request, server: PeerAddresses | null | undefined): void {
  checkNotEmbedded(request)
  // The server has keys, and this request has one.
  if (requestContextOf(request).owner !== "") return
  // Elysia finds out what a handler uses by reading its source, and misses `server` beside a nested pattern: without it,
  // nobody is known to be on this machine.
  if (server === undefined) throw new KeyRequired()
  // A Unix socket's peer has no address.
  const address = server?.requestIP(request)?.address
  const isLocal = address === undefined || address === "" || LOOPBACK.test(address)
  if (!isLocal || FORWARDED.some((name) => request.headers.has(name))) throw new KeyRequired()
}
