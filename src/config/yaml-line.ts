/** After a line that may be at fault, so many more are tried as the end of a longer construct; of a large text, fewer. */
const LOOK_AHEAD = { least: 8, most: 200, characters: 4 * 1024 ** 2 }

/**
 * The line, from 1, at which a YAML text stops being valid: Bun's parser does not report it. It is the line after the
 * longest beginning of whole lines that is valid; of a bracket or a quote that is never closed, the line where it is
 * opened. Takes at most about a second for the largest configuration file.
 */
export function faultyLine(text: string): number {
  const lines = text.split("\n")
  const { least, most, characters } = LOOK_AHEAD
  const ahead = Math.min(most, Math.max(least, Math.floor(characters / text.length)))
  const isValid = (count: number) => parses(lines.slice(0, count).join("\n"))
  let valid = 0
  for (;;) {
    valid = longest(valid, lines.length, isValid)
    // A construct of several lines is invalid until its last one.
    const end = Math.min(lines.length, valid + ahead)
    const next = range(valid + 2, end).find(isValid)
    if (next === undefined) return Math.min(valid + 1, lines.length)
    valid = next
  }
}

/** The greatest count between the two that a bisection finds valid; the lower one is known to be. */
function longest(from: number, to: number, isValid: (count: number) => boolean): number {
  let [valid, invalid] = [from, to]
  while (invalid - valid > 1) {
    const middle = Math.floor((valid + invalid) / 2)
    if (isValid(middle)) valid = middle
    else invalid = middle
  }
  return valid
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

function parses(text: string): boolean {
  try {
    Bun.YAML.parse(text)
    return true
  } catch {
    return false
  }
}
