import { describe, expect, test } from "bun:test"
import { formatTokens, missingSymbols, parseTokens } from "../../../src/formats/speech/tokens"

const characters = { characters: true }

describe("a table of tokens", () => {
  test("has a symbol and its number on each line; the space's line has only the number", () => {
    const table = parseTokens("_ 0\n  3\nə 59\r\n1 131\n", characters)
    expect([...table]).toEqual([
      ["_", 0],
      [" ", 3],
      ["ə", 59],
      ["1", 131],
    ])
  })

  test("is read as it was written", () => {
    const table = new Map([
      [" ", 16],
      ["𝄞", 2],
      ["1", 3],
    ])
    expect([...parseTokens(formatTokens(table), characters)]).toEqual([...table])
  })

  test("may name Coqui's special tokens", () => {
    expect([...parseTokens("<PAD> 0\na 1\n<BLNK> 2\n", characters).keys()]).toEqual(["a"])
  })

  test("may have words where it is for a lexicon", () => {
    expect([...parseTokens("<blk> 0\nAA1 1\n", { characters: false }).keys()]).toEqual(["<blk>", "AA1"])
  })

  test.each([
    ["a line with too much", "a 1\nb 2 3\n", /line 2: 'b 2 3' is not a symbol and its number/],
    ["a line without a number", "a x\n", /line 1: 'a x'/],
    ["a word alone", "a 1\nword\n", /line 2: 'word'/],
    ["an empty line", "a 1\n\nb 2\n", /line 2: '' is not/],
    ["a symbol of two characters", "a 1\noʊ 2\n", /line 2: the symbol 'oʊ' is not one character/],
    [
      "more lines than any",
      "a 1\n".repeat(524_289),
      /line 524289: there are more symbols than any model has/,
    ],
    ["a symbol twice", "a 1\nb 2\na 3\n", /line 3: duplicate symbol 'a'/],
    ["nothing", "", /there are no symbols/],
  ])("is refused for %s", (_, text, message) => {
    expect(() => parseTokens(text, characters)).toThrow(message)
  })

  test("says what it lacks", () => {
    expect(missingSymbols(parseTokens("^ 1\n", characters), ["^", "_", "$"])).toEqual(["_", "$"])
  })
})
