/** Calls `check` with a text in one piece, in characters, and in two pieces at every place. */
export function forEachSplit(text: string, check: (pieces: readonly string[]) => void): void {
  const characters = Array.from(text)
  check([text])
  check(characters)
  for (let at = 1; at < characters.length; at++)
    check([characters.slice(0, at).join(""), characters.slice(at).join("")])
}
