import type { RequestContext } from "./request-context"

/** The requests that the server works on, oldest first. */
export class RequestsInProgress {
  readonly #all = new Set<RequestContext>()

  add(requestContext: RequestContext): void {
    this.#all.add(requestContext)
  }

  remove(requestContext: RequestContext): void {
    this.#all.delete(requestContext)
  }

  /** Those that models work on. */
  get working(): readonly RequestContext[] {
    return [...this.#all].filter(({ requests }) => requests.length > 0)
  }

  /** Stops all requests with that id, which clients choose. Returns false where there is none. */
  stop(id: string): boolean {
    const meant = this.working.filter((requestContext) => requestContext.id === id)
    return meant.map((requestContext) => requestContext.stop()).includes(true)
  }
}
