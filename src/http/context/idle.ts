import { ClientStalled } from "../../errors/request"
import { requestContextOf } from "./request-context"

/** Idle connections are closed after this many seconds. */
export const IDLE_SECONDS = 60

/** The shortest timeout: Bun rounds it up to its next 4-second tick. */
const AT_ONCE_SECONDS = 1

/** The part of Bun's server that is used here. */
export interface IdleTimeouts {
  timeout(request: Request, seconds: number): void
}

/**
 * Lets the request's connection stay idle while the model works. Bun keeps the timeout per connection, not per
 * request, so it is restored when the response is finished and the client idles like any other
 * (https://github.com/oven-sh/bun/pull/33611). If the client does not read, its connection is closed: otherwise Bun
 * would keep the unsent data until it does.
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
