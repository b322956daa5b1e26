import { ALL_CHARACTERS, type Characters } from "../characters"
import { anyOf, IMPOSSIBLE, type GrammarNode, NOTHING, repeat, sequence } from "../node"
import { either, EMPTY, type Expression, inSequence } from "./expression"
import { RegexError } from "./parse"

/** How a set of characters is written where the text stands: as it is, or within a JSON string. */
export type CharacterWriter = (set: Characters) => GrammarNode

/** The most alternatives that anchors within groups may lead to. */
const MOST_ALTERNATIVES = 256

/**
 * The texts in which the expression is found somewhere, as JSON Schema's `pattern` means it: without an anchor,
 * anything may stand before and after it.
 * @throws RegexError where an anchor cannot be at an end of the text
 */
export function searched(expression: Expression, write: CharacterWriter): GrammarNode {
  const anything = repeat(write(ALL_CHARACTERS), 0, Number.POSITIVE_INFINITY)
  const alternatives = spread(expression).map((parts) => {
    const { begins, ends, inner } = trimAnchors(parts)
    if (inner === undefined) return IMPOSSIBLE
    return sequence(begins ? NOTHING : anything, toNode(inner, write), ends ? NOTHING : anything)
  })
  return anyOf(...alternatives)
}

/** The texts that the expression matches from their beginning to their end. @throws RegexError */
export function matched(expression: Expression, write: CharacterWriter): GrammarNode {
  const alternatives = spread(expression).map((parts) => {
    const { inner } = trimAnchors(parts)
    return inner === undefined ? IMPOSSIBLE : toNode(inner, write)
  })
  return anyOf(...alternatives)
}

/** The alternatives of an expression, down to where anchors stand: each is a sequence whose anchors are its own. */
function spread(expression: Expression): readonly (readonly Expression[])[] {
  if (!hasAnchor(expression)) return [[expression]]
  if (expression.type === "any-of") return limited(expression.parts.flatMap(spread))
  if (expression.type === "sequence")
    return expression.parts.reduce<readonly (readonly Expression[])[]>(
      (before, part) => limited(before.flatMap((done) => spread(part).map((more) => [...done, ...more]))),
      [[]],
    )
  if (expression.type === "repeat") {
    // Repeated anchors say nothing new: `(^a)?` is one alternative with it and one without.
    if (expression.max > 1) throw new RegexError("anchors in a repeated group", true)
    return [...spread(expression.part), ...(expression.min === 0 ? [[EMPTY]] : [])]
  }
  return [[expression]]
}

function limited<T>(alternatives: readonly T[]): readonly T[] {
  if (alternatives.length <= MOST_ALTERNATIVES) return alternatives
  throw new RegexError(`more than ${MOST_ALTERNATIVES} combinations of anchors`, true)
}

interface Trimmed {
  readonly begins: boolean
  readonly ends: boolean
  /** Without the anchors; undefined: nothing matches. */
  readonly inner: Expression | undefined
}

function trimAnchors(parts: readonly Expression[]): Trimmed {
  const firstText = parts.findIndex((part) => !isAnchor(part) && !isEmpty(part))
  const lastText = parts.findLastIndex((part) => !isAnchor(part) && !isEmpty(part))
  if (firstText === -1) {
    const kinds = new Set(parts.map(({ type }) => type))
    return { begins: kinds.has("begin"), ends: kinds.has("end"), inner: EMPTY }
  }
  const before = parts.slice(0, firstText)
  const after = parts.slice(lastText + 1)
  const inner = parts.slice(firstText, lastText + 1)
  // Text before a beginning or after an end: possible only where it may be empty, which is refused, not guessed.
  const isMisplaced =
    inner.some(isAnchor) ||
    before.some(({ type }) => type === "end") ||
    after.some(({ type }) => type === "begin")
  if (isMisplaced) throw new RegexError("anchors in the middle", true)
  return {
    begins: before.some(({ type }) => type === "begin"),
    ends: after.some(({ type }) => type === "end"),
    inner: inSequence(inner),
  }
}

function hasAnchor(expression: Expression): boolean {
  switch (expression.type) {
    case "begin":
    case "end":
      return true
    case "characters":
      return false
    case "repeat":
      return hasAnchor(expression.part)
    default:
      return expression.parts.some(hasAnchor)
  }
}

function isAnchor({ type }: Expression): boolean {
  return type === "begin" || type === "end"
}

function isEmpty(expression: Expression): boolean {
  return expression.type === "sequence" && expression.parts.length === 0
}

function toNode(expression: Expression, write: CharacterWriter): GrammarNode {
  switch (expression.type) {
    case "characters":
      return write(expression.set)
    case "sequence":
      return sequence(...expression.parts.map((part) => toNode(part, write)))
    case "any-of":
      return anyOf(...expression.parts.map((part) => toNode(part, write)))
    case "repeat": {
      // llama.cpp refuses a loop around what may be empty, so the loop goes around what is not.
      const { part, min, max } = expression
      const full = withoutEmpty(part)
      if (full === undefined) return repeat(toNode(part, write), min, max)
      return full === "nothing" ? NOTHING : repeat(toNode(full, write), 0, max)
    }
    case "begin":
    case "end":
      throw new RegexError("anchors in a repeated group", true)
    default:
      return expression satisfies never
  }
}

/**
 * The expression without the empty text; undefined if it never matches that, "nothing" if it matches nothing else.
 */
function withoutEmpty(expression: Expression): Expression | "nothing" | undefined {
  if (!mayBeEmpty(expression)) return undefined
  switch (expression.type) {
    case "any-of": {
      const full = expression.parts.flatMap((part) => {
        const rest = withoutEmpty(part)
        return rest === undefined ? [part] : rest === "nothing" ? [] : [rest]
      })
      return full.length === 0 ? "nothing" : either(full)
    }
    case "sequence": {
      // One alternative for each part that may be the first with any text.
      const full = expression.parts.flatMap((part, index) => {
        const rest = withoutEmpty(part)
        return rest === undefined || rest === "nothing"
          ? []
          : [inSequence([rest, ...expression.parts.slice(index + 1)])]
      })
      return full.length === 0 ? "nothing" : either(full)
    }
    case "repeat": {
      const inner = withoutEmpty(expression.part)
      if (inner === "nothing" || expression.max === 0) return "nothing"
      return { type: "repeat", part: inner ?? expression.part, min: 1, max: expression.max }
    }
    default:
      return "nothing"
  }
}

function mayBeEmpty(expression: Expression): boolean {
  switch (expression.type) {
    case "characters":
      return false
    case "sequence":
      return expression.parts.every(mayBeEmpty)
    case "any-of":
      return expression.parts.some(mayBeEmpty)
    case "repeat":
      return expression.min === 0 || mayBeEmpty(expression.part)
    default:
      return true
  }
}
