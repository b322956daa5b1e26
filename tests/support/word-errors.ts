/**
 * The word error rate of `heard`: the fewest words of `said` replaced, omitted or added (Levenshtein distance over
 * words), as a fraction. Ignores case and punctuation. May exceed 1.
 */
export function wordErrorRate(said: string, heard: string): number {
  const wanted = wordsIn(said)
  const found = wordsIn(heard)
  let previous = found.map((_, i) => i + 1)
  let first = 0
  for (const word of wanted) {
    let diagonal = first++
    const row: number[] = []
    found.forEach((other, i) => {
      const left = row[i - 1] ?? first
      const above = previous[i] ?? 0
      row.push(Math.min(left + 1, above + 1, diagonal + (word === other ? 0 : 1)))
      diagonal = above
    })
    previous = row
  }
  return (previous.at(-1) ?? first) / wanted.length
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? []
}
