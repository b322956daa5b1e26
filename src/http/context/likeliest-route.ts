import { nearest } from "../../lib/text/nearest"
import type { KnownRoute } from "./known-routes"

/** Path prefixes that do not distinguish routes. */
const PREFIX = /^(?:v\d+|api|openai)$/i

/** What other servers call our routes. */
const OTHER_NAMES = new Map([
  ["chat", "chat/completions"],
  ["generate", "completions"],
  ["completion", "completions"],
  ["tags", "models"],
])

/** Longer paths resemble none of ours, and comparing them would cost too much. */
const LONGEST = 100

/**
 * The route, with its method, that a request for `path` probably meant: one that other servers have under that name,
 * or one with a similar name. Undefined if there is none.
 */
export function likeliestRoute(
  method: string,
  path: string,
  routes: readonly KnownRoute[],
): string | undefined {
  if (path.length > LONGEST) return undefined
  const given = nameOf(path)
  if (given === "") return undefined
  const name = OTHER_NAMES.get(given) ?? given
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

/** Prefers the route with the requested method. */
function choose(
  method: string,
  routes: readonly KnownRoute[],
  isMeant: (pattern: string) => boolean,
): KnownRoute | undefined {
  const meant = routes.filter(({ path }) => isMeant(path))
  return meant.find((route) => route.method === method) ?? meant[0]
}

/** Does `pattern` match everything below `name`? */
function isBelow(pattern: string, name: string): boolean {
  return pattern.endsWith("/*") && name.startsWith(nameOf(pattern).slice(0, -1))
}

/** The path in lower case, without prefixes and repeated slashes. */
function nameOf(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "")
  const first = segments.findIndex((segment) => !PREFIX.test(segment))
  return first === -1 ? "" : segments.slice(first).join("/").toLowerCase()
}
