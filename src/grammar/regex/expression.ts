import type { Characters } from "../characters"

/** A regular expression (ECMA-262, as JSON Schema's `pattern`), without what no grammar can say. */
export type Expression =
  | { readonly type: "characters"; readonly set: Characters }
  | { readonly type: "sequence"; readonly parts: readonly Expression[] }
  | { readonly type: "any-of"; readonly parts: readonly Expression[] }
  | { readonly type: "repeat"; readonly part: Expression; readonly min: number; readonly max: number }
  /** `^` and `$`: the text begins or ends here. */
  | { readonly type: "begin" }
  | { readonly type: "end" }

export const EMPTY: Expression = { type: "sequence", parts: [] }

export function inSequence(parts: readonly Expression[]): Expression {
  const flat = parts.flatMap((part) => (part.type === "sequence" ? part.parts : [part]))
  const [only] = flat
  return flat.length === 1 && only !== undefined ? only : { type: "sequence", parts: flat }
}

export function either(parts: readonly Expression[]): Expression {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : { type: "any-of", parts }
}

/** The numbers of characters that the expression can match, at least and at most. */
export function lengthsOf(expression: Expression): { readonly min: number; readonly max: number } {
  switch (expression.type) {
    case "characters":
      return { min: 1, max: 1 }
    case "begin":
    case "end":
      return { min: 0, max: 0 }
    case "sequence": {
      const lengths = expression.parts.map(lengthsOf)
      return {
        min: lengths.reduce((sum, { min }) => sum + min, 0),
        max: lengths.reduce((sum, { max }) => sum + max, 0),
      }
    }
    case "any-of": {
      const lengths = expression.parts.map(lengthsOf)
      return {
        min: Math.min(...lengths.map(({ min }) => min)),
        max: Math.max(...lengths.map(({ max }) => max)),
      }
    }
    case "repeat": {
      const { min, max } = lengthsOf(expression.part)
      return { min: min * expression.min, max: max === 0 ? 0 : max * expression.max }
    }
    default:
      return expression satisfies never
  }
}
