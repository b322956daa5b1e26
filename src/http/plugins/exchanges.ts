import { Elysia } from "elysia"
import { Exchange, exchangeOf, remember } from "../exchange"
import { handleInside } from "./handle"

/** The header that names a request in logs, on the way in and out. */
export const REQUEST_ID_HEADER = "x-request-id"

/** What a client's own id may look like: nothing that could break a header or a log line. */
const ACCEPTABLE = /^[\w.:/+=@-]{1,128}$/

/**
 * Follows every request from its first to its last byte: tells `began` when it came, and `over` when it is done, however
 * it ended. Its id is
 * the client's own where that is acceptable, otherwise a fresh one, and every response has it as X-Request-ID.
 */
export function exchanges(began: () => void, over: (exchange: Exchange) => void) {
  return new Elysia({ name: "exchanges" })
    .wrap((inside, request) => async () => {
      const exchange = new Exchange(request, idOf(request), over)
      remember(request, exchange)
      began()
      const response = await handleInside(inside, request)
      exchange.answered(response.status)
      return response
    })
    .onRequest(({ request, set }) => {
      set.headers[REQUEST_ID_HEADER] = exchangeOf(request).id
    })
}

function idOf(request: Request): string {
  const given = request.headers.get(REQUEST_ID_HEADER)
  return given !== null && ACCEPTABLE.test(given) ? given : crypto.randomUUID()
}
