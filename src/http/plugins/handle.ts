/** Runs what a plugin wraps: everything inside of it, down to the route. Elysia's types do not say what that is. */
export function handleInside(inside: unknown, request: Request): Promise<Response> {
  // The function that Elysia composes for `app.fetch`.
  return (inside as (request: Request) => Promise<Response>)(request)
}
