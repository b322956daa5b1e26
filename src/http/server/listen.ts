import { reasonOf } from "../../errors/base"
import { CannotListen } from "../../errors/cli"
import { systemCode } from "../../lib/system/system-reason"
import { IDLE_SECONDS } from "../context/idle"
import type { App } from "./app"
import { removeLeftSocket } from "./unix-socket"

/** How long {@link Listener.close} waits for running responses. */
const CLOSE_GRACE_MS = 2000

/** Port 0: any free port. */
export interface TcpAddress {
  readonly host: string
  readonly port: number
}

/** The path of the socket file to create. */
export interface UnixAddress {
  readonly unix: string
}

export type ListenOptions = TcpAddress | UnixAddress

export interface Listener {
  /** The port in use; undefined for a socket. */
  readonly port: number | undefined
  /** The URL for clients; for a socket `unix:` and its path. */
  readonly url: string
  /**
   * Stops accepting connections and waits `graceMs` (default: 2 s) for running responses, then cuts the rest. Close
   * the engine first: it ends every running answer with an error event.
   */
  close(graceMs?: number): Promise<void>
}

/**
 * Starts to listen. Replaces the socket file of a server that ended without removing it.
 * @throws CannotListen if the address is in use, not permitted or not on this machine
 */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const address = "unix" in options ? options.unix : `${bracketed(options.host)}:${options.port}`
  if ("unix" in options) await removeLeftSocket(options.unix)
  const server = bind(app, options, address)
  return {
    port: server.port,
    url: "unix" in options ? `unix:${options.unix}` : `http://${bracketed(options.host)}:${server.port}`,
    async close(graceMs = CLOSE_GRACE_MS) {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, graceMs)
      await Promise.race([server.stop(), late])
      clearTimeout(timer)
      await server.stop(true)
    },
  }
}

const COMMON = {
  // Bun's own refusal has no body, so ours must apply first.
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  development: false,
} as const

function tcpOptions({ host, port }: TcpAddress) {
  // Without `reusePort: false` a second server could use the same port and take half of the requests.
  return { hostname: host, port, reusePort: false, idleTimeout: IDLE_SECONDS }
}

/**
 * Idle connections of a socket are never closed: Bun has no timeout per request there
 * (https://github.com/oven-sh/bun/issues/43816), and its default of ten seconds would end slow answers. Clients are
 * on this machine, so their connections end with them.
 */
function socketOptions({ unix }: UnixAddress): UnixAddress {
  // Missing from Bun's types.
  return { unix, ...{ idleTimeout: 0 } }
}

function bind(app: App, options: ListenOptions, address: string) {
  try {
    app.listen({ ...COMMON, ...("unix" in options ? socketOptions(options) : tcpOptions(options)) })
  } catch (error) {
    throw new CannotListen(address, reasonToListen(error), error)
  }
  if (app.server === null) throw new CannotListen(address, "the server did not start")
  return app.server
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is already in use; --port chooses another",
  EACCES: "permission denied (ports below 1024 need root)",
  ENAMETOOLONG: "the path of a socket must have at most 107 bytes",
  ENOENT: "the folder does not exist",
  EADDRNOTAVAIL: "this machine does not have that address",
}

function reasonToListen(error: unknown): string {
  return REASONS[systemCode(error) ?? ""] ?? reasonOf(error)
}
