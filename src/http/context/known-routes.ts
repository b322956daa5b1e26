import { likeliestRoute } from "./likeliest-route"

/** A route that exists. `path` may end with `*`, which stands for anything. */
export interface KnownRoute {
  readonly method: string
  readonly path: string
}

/** What is known of a path, whether or not a request for it found its route. */
export class KnownRoutes {
  readonly #list: () => readonly KnownRoute[]

  /** `list` is asked when something is looked for: routes are added one by one. */
  constructor(list: () => readonly KnownRoute[]) {
    this.#list = list
  }

  /** The methods that a path has; none where there is no such path. Where there is GET the router answers HEAD too. */
  methodsOf(path: string): readonly string[] {
    const methods = this.#of(path).map(({ method }) => method)
    return [...new Set(methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])))]
  }

  /** The route's own spelling of a path, of which there are only so many; undefined where there is none. */
  patternOf(path: string): string | undefined {
    return this.#of(path)[0]?.path
  }

  /** The route that was probably meant by a request that found none. */
  likeliest(method: string, path: string): string | undefined {
    return likeliestRoute(method, path, this.#list())
  }

  #of(path: string): readonly KnownRoute[] {
    return this.#list().filter((route) => matches(route.path, path))
  }
}

function matches(pattern: string, path: string): boolean {
  if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1))
  // The router takes a slash at the end for none.
  return pattern === path || `${pattern}/` === path
}
