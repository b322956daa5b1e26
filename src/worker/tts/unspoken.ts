/** Characters that a warning names. */
const MOST_NAMED = 5

/**
 * A warning about letters and digits that a voice leaves out, if it does.
 * @param known the characters of a voice that speaks a text letter by letter
 */
export function unspokenWarning(texts: readonly string[], known: ReadonlySet<string>): string | undefined {
  const unspoken = new Set<string>()
  for (const text of texts) {
    for (const [character] of text.matchAll(/[\p{L}\p{N}]/gu)) {
      const cases = [character, character.toLowerCase(), character.toUpperCase()]
      if (!cases.some((each) => known.has(each))) unspoken.add(character)
    }
  }
  if (unspoken.size === 0) return undefined
  const named = [...unspoken].slice(0, MOST_NAMED).map((character) => `'${character}' (${codeOf(character)})`)
  const more = unspoken.size - named.length
  return `left out characters that this voice cannot speak: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

/** For headers, which have ASCII only. */
function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`
}
