import { expect, test } from "bun:test"
import { eitherGrammar, surrounded } from "../../src/grammar/combine"
import { parseGbnf } from "../../src/grammar/gbnf/parse"
import { optional, terminal } from "../../src/grammar/node"
import { toGbnf } from "../../src/grammar/print"
import { matches } from "../support/grammar-match"

const LETTERS = parseGbnf('root ::= "a" part*\npart ::= [b-d] | "(" root ")"\n')
const DIGITS = parseGbnf("root ::= part part\npart ::= [0-9]\n")

test("either grammar has the texts of both, whatever their rules are called", () => {
  const either = eitherGrammar(LETTERS, DIGITS)
  for (const text of ["a", "ab(ac)", "12"]) expect(matches(either, text)).toBe(true)
  for (const text of ["", "1", "a1", "12a", "a(12)"]) expect(matches(either, text)).toBe(false)
  expect(parseGbnf(toGbnf(either)).rules.size).toBe(5)
})

test("a grammar between texts has these around every one of its own, and only there", () => {
  const around = surrounded(terminal("<"), LETTERS, optional(terminal(">")))
  for (const text of ["<a", "<ab>", "<a(ab)>"]) expect(matches(around, text)).toBe(true)
  for (const text of ["ab", "<a(<a>)>", "<>"]) expect(matches(around, text)).toBe(false)
})
