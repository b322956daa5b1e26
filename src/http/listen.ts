import { CannotListen } from "../errors"
import type { App } from "./app"

/** Idle seconds after which a connection is closed; routes that may be slow switch it off for their request. */
const IDLE_SECONDS = 60

/** How long {@link Listener.close} waits for running responses. */
const CLOSE_GRACE_MS = 2000

export interface ListenOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** A listening server. */
export interface Listener {
  readonly host: string
  /** The port that was taken. */
  readonly port: number
  readonly url: string
  /**
   * Takes no more connections and waits `graceMs` (2 s where absent) for responses that are being sent; what is left
   * then is cut. Close the engine first: it ends every running answer with an error event.
   */
  close(graceMs?: number): Promise<void>
}

/**
 * Starts to listen.
 * @throws CannotListen where the address is taken, not allowed or not ours
 */
export function listen(app: App, { host, port }: ListenOptions): Listener {
  const server = bind(app, host, port)
  const address = host.includes(":") ? `[${host}]` : host
  const taken = server.port ?? port
  return {
    host,
    port: taken,
    url: `http://${address}:${taken}`,
    async close(graceMs = CLOSE_GRACE_MS) {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, graceMs)
      await Promise.race([server.stop(), late])
      clearTimeout(timer)
      await server.stop(true)
    },
  }
}

function bind(app: App, hostname: string, port: number) {
  try {
    app.listen({
      hostname,
      port,
      // Otherwise a second server could start on the same port and take half of the requests.
      reusePort: false,
      idleTimeout: IDLE_SECONDS,
      // Bun's own refusal has no body, so ours at MAX_BODY_BYTES has to come first.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
    })
  } catch (error) {
    throw new CannotListen(hostname, port, reasonOf(error), error)
  }
  if (app.server === null) throw new CannotListen(hostname, port, "the server did not start")
  return app.server
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use already",
  EACCES: "permission denied (ports below 1024 need root)",
  EADDRNOTAVAIL: "this machine does not have that address",
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return REASONS[code] ?? error.message
}
