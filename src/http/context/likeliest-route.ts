import { nearest } from "../../lib/text/nearest"
import type { KnownRoute } from "./known-routes"

/** What begins a path without telling one route from another. */
const PREFIX = /^(?:v\d+|api|openai)$/i

/** What other servers call what is here. */
const OTHER_NAMES = new Map([
  ["chat", "chat/completions"],
  ["generate", "completions"],
  ["completion", "completions"],
  ["tags", "models"],
])

/** Longer paths are like none of ours, and finding that out would cost more than it is worth. */
const LONGEST = 100

/**
 * The route that was probably meant by somebody who asked for `path`, with its method: the one of that name elsewhere,
 * or of a similar name. Undefined where there is none.
 */
export function likeliestRoute(
  method: string,
  path: string,
  routes: readonly KnownRoute[],
): string | undefined {
  if (path.length > LONGEST) return undefined
  const asked = nameOf(path)
  if (asked === "") return undefined
  const name = OTHER_NAMES.get(asked) ?? asked
  const route =
    choose(method, routes, (pattern) => nameOf(pattern) === name) ??
    chooseSimilar(method, routes, name) ??
    choose(method, routes, (pattern) => isBelow(pattern, name))
  return route && `${route.method} ${route.path.replace(/\*$/, "NAME")}`
}

function chooseSimilar(method: string, routes: readonly KnownRoute[], name: string): KnownRoute | undefined {
  const names = routes.filter(({ path }) => !path.endsWith("*")).map(({ path }) => nameOf(path))
  const similar = nearest(
    name,
    names.filter((other) => other !== "" && !name.startsWith(`${other}/`)),
  )
  return choose(method, routes, (pattern) => nameOf(pattern) === similar)
}

/** The route with the method that was used, or else with another. */
function choose(
  method: string,
  routes: readonly KnownRoute[],
  isMeant: (pattern: string) => boolean,
): KnownRoute | undefined {
  const meant = routes.filter(({ path }) => isMeant(path))
  return meant.find((route) => route.method === method) ?? meant[0]
}

/** Is a route for everything below a name one for `name`? */
function isBelow(pattern: string, name: string): boolean {
  return pattern.endsWith("/*") && name.startsWith(nameOf(pattern).slice(0, -1))
}

/** A path without its prefixes, doubled slashes and capitals. */
function nameOf(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "")
  const first = segments.findIndex((segment) => !PREFIX.test(segment))
  return first === -1 ? "" : segments.slice(first).join("/").toLowerCase()
}
