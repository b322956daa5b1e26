import { Elysia } from "elysia"

/** The header that names a request in logs, on the way in and out. */
export const REQUEST_ID_HEADER = "x-request-id"

/** What a client's own id may look like: nothing that could break a header or a log line. */
const ACCEPTABLE = /^[\w.:/+=@-]{1,128}$/

/** Gives every response an X-Request-ID: the client's where it is acceptable, otherwise a fresh one. */
export function requestId() {
  return new Elysia({ name: "request-id" }).onRequest(({ request, set }) => {
    const given = request.headers.get(REQUEST_ID_HEADER)
    set.headers[REQUEST_ID_HEADER] = given !== null && ACCEPTABLE.test(given) ? given : crypto.randomUUID()
  })
}
