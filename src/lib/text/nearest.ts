/**
 * Number of single-character insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. A
 * swap counts as one because it is the most common typo.
 */
export function editDistance(a: string, b: string): number {
  const from = Array.from(a)
  const to = Array.from(b)
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1)
      }
      current.push(best)
    }
    beforeLast = last
    last = current
  }
  return last[to.length] ?? 0
}

/** No real name is longer, and comparing takes time with the length. */
const LONGEST_WORD = 200

/**
 * The candidate that `word` was probably meant to be, or `undefined` where none is close. A candidate that starts
 * with the whole word counts as close: people abbreviate.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > LONGEST_WORD) return undefined
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const isPrefix = word.length >= 2 && candidate.startsWith(word)
    const apart = editDistance(word.toLowerCase(), candidate.toLowerCase())
    const distance = isPrefix ? Math.min(1, apart) : apart
    if (best === undefined || distance < best.distance) best = { candidate, distance }
  }
  if (best === undefined) return undefined
  const limit = Math.max(1, Math.floor(Math.max(word.length, best.candidate.length) / 3))
  return best.distance <= limit ? best.candidate : undefined
}
