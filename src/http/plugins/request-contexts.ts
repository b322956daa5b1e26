import { Elysia } from "elysia"
import { remember, RequestContext, requestContextOf } from "../context/request-context"

/** The request and response header with the id used in logs. */
export const REQUEST_ID_HEADER = "x-request-id"

/** Allowed client ids: no characters that could break a header or a log line. */
const ACCEPTABLE = /^[\w.:/+=@-]{1,128}$/

export interface ExchangesOptions {
  /** Called when a request arrives; `over` is called when it is finished, however it ended. */
  began(requestContext: RequestContext): void
  over(requestContext: RequestContext): void
  /** The server's address, for requests without a Host. */
  origin(): string
}

/**
 * Creates the context of every request and follows it from the first to the last byte. Its id is the client's
 * X-Request-ID if valid, otherwise a new one, and every response has it as X-Request-ID.
 */
export function requestContexts({ began, over, origin }: ExchangesOptions) {
  return new Elysia({ name: "request-contexts" })
    .wrap((inside, request) => async () => {
      addAddress(request, origin)
      const requestContext = new RequestContext(request, idOf(request), over)
      remember(request, requestContext)
      began(requestContext)
      const response = await handleInside(inside, request)
      requestContext.answered(response.status)
      return response
    })
    .onRequest(({ request, set }) => {
      set.headers[REQUEST_ID_HEADER] = requestContextOf(request).id
    })
}

/**
 * Without a Host, as in HTTP/1.0, Bun's URL is only the path, and the router expects a host before the path. The
 * request object must stay the same: Bun identifies the connection by it.
 */
function addAddress(request: Request, origin: () => string): void {
  const { url } = request
  if (url.startsWith("/")) Object.defineProperty(request, "url", { value: origin() + url })
}

function idOf(request: Request): string {
  const given = request.headers.get(REQUEST_ID_HEADER)
  return given !== null && ACCEPTABLE.test(given) ? given : crypto.randomUUID()
}

/** Calls the handler that a plugin wraps: all inner plugins and the route. Elysia's types do not describe it. */
export function handleInside(inside: unknown, request: Request): Promise<Response> {
  // The function that Elysia composes for `app.fetch`.
  return (inside as (request: Request) => Promise<Response>)(request)
}
