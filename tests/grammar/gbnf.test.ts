import { describe, expect, test } from "bun:test"
import { parseGbnf } from "../../src/grammar/gbnf/parse"
import { toGbnf } from "../../src/grammar/print"
import { matches } from "../support/grammar-match"

describe("a grammar in GBNF", () => {
  test("is read with all of its notation", () => {
    const grammar = parseGbnf(`
# a list of moves
root  ::= move ("," " "? move){0,2} "." | "none"
move  ::= [a-h] [1-8]
          # not a part of it
piece ::= "\\x41" | [^\\x00-\\x1F"\\]\\-] | .
`)
    for (const text of ["a1.", "a1,b2.", "a1, b2,c3.", "none"]) expect(matches(grammar, text)).toBe(true)
    for (const text of ["a1", "i1.", "a1,b2,c3,d4.", "a9."]) expect(matches(grammar, text)).toBe(false)
  })

  test("reads what it writes as the same", () => {
    const grammar = parseGbnf('root ::= ("a" | "b-\\"\\\\")+ <[7]> x{2,} [é-ü]\nx ::= "\\n" | ""\n')
    expect(toGbnf(parseGbnf(toGbnf(grammar)))).toBe(toGbnf(grammar))
  })

  test.each([
    ["", "no rule 'root'"],
    ['start ::= "a"', "no rule 'root'"],
    ["root ::= thing", "'root' uses 'thing', which it does not have"],
    ['root ::= "a', "line 1, column 12: ends within a text"],
    ['root ::= ("a"', "expected ')'"],
    ['root = "a"', "line 1, column 6: expected '::='"],
    ['root ::= "a"\nb ::= [a', "line 2, column 9: ends within a class of characters"],
    ['root ::= "\\q"', "the unknown escape \\q"],
    ['root ::= "a"{3,2}', "out of order"],
    ['root ::= "a"{0,2001}', "more than 2000 times"],
    ['root ::= root "a" | "b"', "can begin with itself"],
    ['root ::= a "x"\na ::= "b"? root', "can begin with itself"],
    [`root ::= ${"(".repeat(100)}"a"${")".repeat(100)}`, "parentheses within each other"],
    ["root ::= <think>", "not written as <[ID]>"],
  ])("that is wrong is refused with the place: %s", (source, message) => {
    expect(() => parseGbnf(source)).toThrow(message)
  })
})
