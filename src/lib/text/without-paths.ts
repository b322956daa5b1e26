/** Absolute paths in quotes, which may have spaces, and absolute paths between spaces. No URLs, and no relative paths. */
const QUOTED = /(['"`])(\/[^'"`\n]*)\1/g
const BARE = /(?<![\w.:/~%-])\/[^\s'"`,;:()|]+/g

/** The text with only the last part of every absolute path in it: for readers whom the machine's folders are none of. */
export function withoutPaths(text: string): string {
  return text
    .replace(QUOTED, (_whole, quote: string, path: string) => quote + lastPart(path) + quote)
    .replace(BARE, lastPart)
}

function lastPart(path: string): string {
  return path.split("/").findLast((part) => part !== "") ?? ""
}
