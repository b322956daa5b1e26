import type { ControlToken } from "../../../src/prompt/tools/control-tokens"
import type { Family } from "./family"
import { JSON_FAMILIES } from "./json-families"
import { TAGGED_FAMILIES } from "./tagged-families"

export type { Family } from "./family"
export { TOOLS } from "./family"

export const FAMILIES: readonly Family[] = [...JSON_FAMILIES, ...TAGGED_FAMILIES]

/** The control tokens of a family, with ids of their own. */
export function tokensOf({ tokens = [] }: Family): readonly ControlToken[] {
  return tokens.map((text, at) => ({ id: 1000 + at, text }))
}
