/**
 * Absolute paths in quotes, which may contain spaces, and absolute paths between spaces. Neither URLs nor relative
 * paths.
 */
const QUOTED = /(['"`])(\/[^'"`\n]*)\1/g
const BARE = /(?<![\w.:/~%-])\/[^\s'"`,;:()|]+/g

/** Reduces every absolute path in a text to its last part, for readers who should not see the machine's folders. */
export function withoutPaths(text: string): string {
  return text
    .replace(QUOTED, (_whole, quote: string, path: string) => quote + lastPart(path) + quote)
    .replace(BARE, lastPart)
}

function lastPart(path: string): string {
  return path.split("/").findLast((part) => part !== "") ?? ""
}
