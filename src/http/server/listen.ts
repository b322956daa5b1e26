import { reasonOf } from "../../errors/base"
import { CannotListen } from "../../errors/cli"
import { systemCode } from "../../lib/system/system-reason"
import { IDLE_SECONDS } from "../context/idle"
import type { App } from "./app"
import { removeLeftSocket } from "./unix-socket"

/** How long {@link Listener.close} waits for running responses. */
const CLOSE_GRACE_MS = 2000

/** An address of this machine; port 0: any free one. */
export interface TcpAddress {
  readonly host: string
  readonly port: number
}

/** The path of a socket file, which is made. */
export interface UnixAddress {
  readonly unix: string
}

export type ListenOptions = TcpAddress | UnixAddress

/** A listening server. */
export interface Listener {
  /** The port that was taken; undefined for a socket. */
  readonly port: number | undefined
  /** What a client may be told; for a socket `unix:` and its path. */
  readonly url: string
  /**
   * Takes no more connections and waits `graceMs` (2 s where absent) for responses that are being sent; what is left
   * then is cut. Close the engine first: it ends every running answer with an error event.
   */
  close(graceMs?: number): Promise<void>
}

/**
 * Starts to listen. The socket file of a server that has ended without removing it is replaced.
 * @throws CannotListen where the address is taken, not allowed or not ours
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
  // Bun's own refusal has no body, so ours has to come first.
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  development: false,
} as const

function tcpOptions({ host, port }: TcpAddress) {
  // Without `reusePort` a second server could start on the same port and take half of the requests.
  return { hostname: host, port, reusePort: false, idleTimeout: IDLE_SECONDS }
}

/**
 * Connections of a socket may be idle: Bun has no timeout for a single request there (https://github.com/oven-sh/bun/issues/43816),
 * and its own, of ten seconds, would end slow answers. Whoever ends on this machine takes its connections along.
 */
function socketOptions({ unix }: UnixAddress): UnixAddress {
  // Bun's types do not know that it has one.
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
  EADDRINUSE: "the port is already in use",
  EACCES: "permission denied (ports below 1024 need root)",
  ENAMETOOLONG: "the path of a socket must have at most 107 bytes",
  ENOENT: "the folder does not exist",
  EADDRNOTAVAIL: "this machine does not have that address",
}

function reasonToListen(error: unknown): string {
  return REASONS[systemCode(error) ?? ""] ?? reasonOf(error)
}
