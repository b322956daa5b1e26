import { ClientStalled } from "../../errors/request"
import { requestContextOf } from "./request-context"

/** Idle seconds after which a connection is closed. */
export const IDLE_SECONDS = 60

/** As soon as Bun can: it rounds up to its own ticks of four seconds. */
const AT_ONCE_SECONDS = 1

/** The part of Bun's server that is used here. */
export interface IdleTimeouts {
  timeout(request: Request, seconds: number): void
}

/**
 * Lets the request's connection be idle for as long as the model takes. Bun keeps a timeout with the connection, not
 * with the request, so it is set back when the exchange is over: a client that has its answer is idle like any other
 * (https://github.com/oven-sh/bun/pull/33611). That of a client that does not read is closed: Bun would keep what it
 * holds for it until it does.
 */
export function mayBeSilent(request: Request, server: IdleTimeouts | null): void {
  if (server === null) return
  const requestContext = requestContextOf(request)
  server.timeout(request, 0)
  requestContext.afterwards(() => {
    const isStalled = requestContext.error instanceof ClientStalled
    server.timeout(request, isStalled ? AT_ONCE_SECONDS : IDLE_SECONDS)
  })
}
