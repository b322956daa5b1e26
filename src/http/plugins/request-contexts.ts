import { Elysia } from "elysia"
import { remember, RequestContext, requestContextOf } from "../context/request-context"

/** The header that names a request in logs, on the way in and out. */
export const REQUEST_ID_HEADER = "x-request-id"

/** What a client's own id may look like: nothing that could break a header or a log line. */
const ACCEPTABLE = /^[\w.:/+=@-]{1,128}$/

export interface ExchangesOptions {
  /** Told when a request came, and when it is done, however it ended. */
  began(): void
  over(requestContext: RequestContext): void
  /** Where the server listens, for requests that do not say where they were sent. */
  origin(): string
}

/**
 * Follows every request from its first to its last byte. Its id is the client's own where that is acceptable, otherwise
 * a fresh one, and every response has it as X-Request-ID.
 */
export function requestContexts({ began, over, origin }: ExchangesOptions) {
  return new Elysia({ name: "exchanges" })
    .wrap((inside, request) => async () => {
      addAddress(request, origin)
      const requestContext = new RequestContext(request, idOf(request), over)
      remember(request, requestContext)
      began()
      const response = await handleInside(inside, request)
      requestContext.answered(response.status)
      return response
    })
    .onRequest(({ request, set }) => {
      set.headers[REQUEST_ID_HEADER] = requestContextOf(request).id
    })
}

/**
 * Without a Host, as in HTTP/1.0, Bun has the path alone for a URL, and the router looks for the path behind a host. It
 * has to be the same object: Bun knows the connection by it.
 */
function addAddress(request: Request, origin: () => string): void {
  const { url } = request
  if (url.startsWith("/")) Object.defineProperty(request, "url", { value: origin() + url })
}

function idOf(request: Request): string {
  const given = request.headers.get(REQUEST_ID_HEADER)
  return given !== null && ACCEPTABLE.test(given) ? given : crypto.randomUUID()
}

/** Runs what a plugin wraps: everything inside of it, down to the route. Elysia's types do not say what that is. */
export function handleInside(inside: unknown, request: Request): Promise<Response> {
  // The function that Elysia composes for `app.fetch`.
  return (inside as (request: Request) => Promise<Response>)(request)
}
