import { ALL_CHARACTERS, type Characters, charactersIn, without } from "../../../grammar/characters"
import { anyOf, characters, type GrammarNode, NOTHING, repeat, sequence } from "../../../grammar/node"
import type { Rules } from "../../../grammar/rules"

/**
 * Any text in which `mark` does not occur, not even together with the beginning of a `mark` that follows it: a reader
 * that looks for the first one finds the one after the text. One rule for each character of `mark`.
 */
export function textWithout(mark: string, rules: Rules): GrammarNode {
  const marks = Array.from(mark)
  if (marks.length === 0) return repeat(characters(ALL_CHARACTERS), 0, Number.POSITIVE_INFINITY)
  const relevant = [...new Set(marks)]
  const others = characters(without(ALL_CHARACTERS, charactersIn(relevant.join(""))))
  const names = marks.map((_, count) => rules.reserve(`text-${count}`))
  const rule = (count: number): GrammarNode => ({ type: "rule", name: names[count] ?? "" })
  for (const [count, name] of names.entries()) {
    const begun = marks.slice(0, count)
    const next = relevant.flatMap((character) => {
      const longest = longestBeginning([...begun, character], marks)
      return longest === marks.length ? [] : [sequence(characters(charactersIn(character)), rule(longest))]
    })
    const ends = isFirstAtEnd(begun, marks) ? [NOTHING] : []
    rules.define(name, anyOf(sequence(others, rule(0)), ...next, ...ends))
  }
  return rule(0)
}

/** The length of the longest end of `text` that `mark` begins with. */
function longestBeginning(text: readonly string[], mark: readonly string[]): number {
  for (let length = Math.min(text.length, mark.length); length > 0; length--)
    if (mark.slice(0, length).join("") === text.slice(-length).join("")) return length
  return 0
}

/** Is `mark` after `begun`, a part of itself, not found any earlier? */
function isFirstAtEnd(begun: readonly string[], mark: readonly string[]): boolean {
  const whole = [...begun, ...mark]
  for (let at = 0; at < begun.length; at++)
    if (whole.slice(at, at + mark.length).join("") === mark.join("")) return false
  return true
}

/** Characters of texts whose lengths or patterns are limited as well: without one that `mark` needs. */
export function charactersWithout(mark: string, set: Characters = ALL_CHARACTERS): Characters {
  const signs = Array.from(mark).filter((character) => !/[\p{L}\p{N}\s]/u.test(character))
  const avoided = signs.find((sign) => sign === "<") ?? signs[0] ?? Array.from(mark)[0]
  return avoided === undefined ? set : without(set, charactersIn(avoided))
}
