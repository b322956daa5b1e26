/** Other names for models: each with the name that it stands for, which may be another one of them. */
export type Aliases = ReadonlyMap<string, string>

export const NO_ALIASES: Aliases = new Map()

/** What is the same for every way to write a name: the case does not matter, nor a tag `latest`. */
export function aliasKey(name: string): string {
  return name.toLowerCase().replace(/:latest$/, "")
}

/** The alias that a name is, and what it stands for; `undefined`: it is none. */
export function aliasOf(
  aliases: Aliases,
  name: string,
): { readonly alias: string; readonly target: string } | undefined {
  const key = aliasKey(name)
  for (const [alias, target] of aliases) if (aliasKey(alias) === key) return { alias, target }
  return undefined
}

/** Names that lead back to the first of them; `undefined` where every alias leads to an end. */
export function loopIn(aliases: Aliases): readonly string[] | undefined {
  for (const start of aliases.keys()) {
    const way = [start]
    for (let next = aliases.get(start); next !== undefined; next = aliasOf(aliases, next)?.target) {
      way.push(next)
      if (aliasKey(next) === aliasKey(start)) return way
      // It leads to a loop that it is no part of.
      if (way.length > aliases.size + 1) break
    }
  }
  return undefined
}
