import { likeliestRoute } from "./likeliest-route"

/** A registered route. `path` may end with `*`, which matches anything, and have segments like `:id`. */
export interface KnownRoute {
  readonly method: string
  readonly path: string
}

/** Looks up routes by path, including for requests that the router did not match. */
export class KnownRoutes {
  readonly #list: () => readonly KnownRoute[]

  /** `list` is called on every lookup, because routes are registered one by one. */
  constructor(list: () => readonly KnownRoute[]) {
    this.#list = list
  }

  /** The methods of a path; empty if the path does not exist. Where there is GET, the router also answers HEAD. */
  methodsOf(path: string): readonly string[] {
    const methods = this.#of(path).map(({ method }) => method)
    return [...new Set(methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])))]
  }

  /**
   * The pattern of the route that matches a path, which keeps the number of metric labels bounded; undefined if none
   * does.
   */
  patternOf(path: string): string | undefined {
    const routes = this.#of(path)
    return (routes.find((route) => !route.path.includes("/:")) ?? routes[0])?.path
  }

  /** The route that an unmatched request probably meant. */
  likeliest(method: string, path: string): string | undefined {
    return likeliestRoute(method, path, this.#list())
  }

  #of(path: string): readonly KnownRoute[] {
    return this.#list().filter((route) => matches(route.path, path))
  }
}

function matches(pattern: string, path: string): boolean {
  if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1))
  // The router ignores a trailing slash.
  if (pattern === path || `${pattern}/` === path) return true
  if (!pattern.includes("/:")) return false
  const segments = pattern.split("/")
  const given = path.replace(/\/$/, "").split("/")
  return (
    given.length === segments.length &&
    segments.every((segment, index) =>
      segment.startsWith(":") ? given[index] !== "" : segment === given[index],
    )
  )
}
