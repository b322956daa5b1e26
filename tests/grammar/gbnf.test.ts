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

describe("a grammar that llama.cpp could not leave again", () => {
  const chain = (length: number, alternatives: readonly string[]): string =>
    [
      "root ::= r0",
      ...Array.from(
        { length },
        (_, at) => `r${at} ::= ${alternatives.map((each) => `r${at + 1} "${each}"`).join(" | ")}`,
      ),
      `r${length} ::= "x"`,
    ].join("\n")

  test.each([
    ["as it has exponentially many beginnings", chain(30, ["a", "b"]), "can begin in more than 2048 ways"],
    ["as its rules begin with each other", chain(5000, ["a"]), "begins with more than 1000 rules"],
    ["as its nesting is ambiguous", 'root ::= s\ns ::= " " s "b" | " " s "c" | "d"', "contains itself"],
    [
      "as its nesting is ambiguous within a loop",
      'root ::= s\ns ::= "[" (s "b" | s "c")* "]"',
      "contains itself",
    ],
    [
      "as it has too many alternatives",
      `root ::= ${Array.from({ length: 3000 }, (_, at) => `[a] "${at}"`).join(" | ")}`,
      "begin in more than",
    ],
  ])("is refused, %s", (_name, source, message) => {
    expect(() => parseGbnf(source)).toThrow(message)
  })

  test("is told from one that can be read", () => {
    const texts = Array.from({ length: 5000 }, (_, at) => `"value ${at}"`)
    const many = parseGbnf(`root ::= ${texts.join(" | ")}`)
    expect(matches(many, "value 4999")).toBe(true)
    expect(matches(many, "value 5000")).toBe(false)
    expect(() => parseGbnf(chain(900, ["a"]))).not.toThrow()
    expect(() => parseGbnf('root ::= s\ns ::= "(" s ")" | "[" s "]" | "x"')).not.toThrow()
    expect(() => parseGbnf('root ::= s\ns ::= "(" s? (")" | "]") s?')).not.toThrow()
  })
})
