/** Cuts a text to `most` characters, and marks the cut. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text
  // Never splits a surrogate pair.
  const end = isHighSurrogate(text.charCodeAt(most - 1)) ? most - 1 : most
  return `${text.slice(0, end)}…`
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
