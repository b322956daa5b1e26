/** The beginning of a text that is longer than `most` characters, with a mark that there was more. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text
  // Half of a surrogate pair would be no character.
  const end = isHighSurrogate(text.charCodeAt(most - 1)) ? most - 1 : most
  return `${text.slice(0, end)}…`
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
