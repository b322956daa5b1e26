/** Aliases of models: each with its target, which may be another alias. */
export type Aliases = ReadonlyMap<string, string>

export const NO_ALIASES: Aliases = new Map()

/** A key that is the same for every spelling of a name: without case and without the tag `latest`. */
export function aliasKey(name: string): string {
  return name.toLowerCase().replace(/:latest$/, "")
}

/** The alias of that name with its target; `undefined`: there is none. */
export function aliasOf(
  aliases: Aliases,
  name: string,
): { readonly alias: string; readonly target: string } | undefined {
  const key = aliasKey(name)
  for (const [alias, target] of aliases) if (aliasKey(alias) === key) return { alias, target }
  return undefined
}

/** The names of a loop of aliases; `undefined` where there is none. */
export function loopIn(aliases: Aliases): readonly string[] | undefined {
  for (const start of aliases.keys()) {
    const way = [start]
    for (let next = aliases.get(start); next !== undefined; next = aliasOf(aliases, next)?.target) {
      way.push(next)
      if (aliasKey(next) === aliasKey(start)) return way
      // It leads into a loop without being part of it.
      if (way.length > aliases.size + 1) break
    }
  }
  return undefined
}
