import { InvalidRequest } from "../../errors/request"
import type { NestedBound } from "../../limits"
import { checkText, tooMany } from "./fields"

/** Checks a value that is passed on as it is. @throws InvalidRequest if there might be too much of it to traverse */
export function checkNested(name: string, given: unknown, bound: NestedBound): void {
  const { depth, values: mostValues, characters: mostCharacters } = bound
  let values = 0
  let characters = 0
  const countText = (text: string) => {
    characters += checkText(name, text, { maxLength: mostCharacters }).length
    if (characters > mostCharacters) throw tooMany(name, mostCharacters, "characters in all", characters)
  }
  const walk = (value: unknown, levels: number): void => {
    if (++values > mostValues) throw tooMany(name, mostValues, "values", values)
    if (typeof value === "string") countText(value)
    if (typeof value !== "object" || value === null) return
    if (levels === 0) throw new InvalidRequest(`${name} must be nested at most ${depth} levels deep`, name)
    if (Array.isArray(value)) for (const inner of value) walk(inner, levels - 1)
    else
      for (const [key, inner] of Object.entries(value)) {
        countText(key)
        walk(inner, levels - 1)
      }
  }
  walk(given, depth)
}
