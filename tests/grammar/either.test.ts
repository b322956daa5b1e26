import { expect, test } from "bun:test"
import { eitherGrammar } from "../../src/grammar/either"
import { parseGbnf } from "../../src/grammar/gbnf/parse"
import { toGbnf } from "../../src/grammar/print"
import { compileSchema } from "../../src/grammar/schema/compile"
import { matches } from "../support/grammar-match"

test("one of two grammars is met, whose rules have the same names", () => {
  const numbers = compileSchema({ type: "array", items: { type: "integer" } }).grammar
  const words = compileSchema({ type: "array", items: { enum: ["a", "b"] } }).grammar
  const either = parseGbnf(toGbnf(eitherGrammar(numbers, words)))
  for (const text of ["[1, 2]", '["a"]', "[]"]) expect([text, matches(either, text)]).toEqual([text, true])
  for (const text of ['[1, "a"]', '["c"]', ""]) expect([text, matches(either, text)]).toEqual([text, false])
})
