/** A range of Unicode code points, both ends included. */
export type CharacterRange = readonly [first: number, last: number]

/** A set of characters: sorted ranges that neither overlap nor touch. */
export type Characters = readonly CharacterRange[]

export const LAST_CODE_POINT = 0x10ffff

/** Surrogates are no characters: text in UTF-8 cannot contain them. */
const SURROGATES: CharacterRange = [0xd800, 0xdfff]

/** Every character. */
export const ALL_CHARACTERS: Characters = [
  [0, SURROGATES[0] - 1],
  [SURROGATES[1] + 1, LAST_CODE_POINT],
]

/** The set of the given ranges, in any order and overlapping or not. */
export function charactersOf(ranges: readonly CharacterRange[]): Characters {
  const sorted = ranges.filter(([first, last]) => first <= last).sort((a, b) => a[0] - b[0])
  const merged: [number, number][] = []
  for (const [first, last] of sorted) {
    const previous = merged.at(-1)
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last)
    else merged.push([first, last])
  }
  return merged
}

/** The set of the characters of `text`. */
export function charactersIn(text: string): Characters {
  return charactersOf(Array.from(text, (character) => single(character.codePointAt(0) ?? 0)))
}

export function union(...sets: readonly Characters[]): Characters {
  return charactersOf(sets.flat())
}

/** All characters that are not in `set`. */
export function complement(set: Characters): Characters {
  return without(ALL_CHARACTERS, set)
}

/** The characters of `set` that are not in `removed`. */
export function without(set: Characters, removed: Characters): Characters {
  let left: readonly CharacterRange[] = set
  for (const [first, last] of removed)
    left = left.flatMap(([from, to]): CharacterRange[] =>
      to < first || from > last
        ? [[from, to]]
        : [
            [from, Math.min(to, first - 1)],
            [Math.max(from, last + 1), to],
          ],
    )
  return charactersOf(left)
}

export function includes(set: Characters, codePoint: number): boolean {
  return set.some(([first, last]) => first <= codePoint && codePoint <= last)
}

function single(codePoint: number): CharacterRange {
  return [codePoint, codePoint]
}
