import { describe, expect, test } from "bun:test"
import type { ToolUse } from "../../../src/domain/tools"
import { parseGbnf } from "../../../src/grammar/gbnf/parse"
import { toGbnf } from "../../../src/grammar/print"
import { triggersOf } from "../../../src/prompt/tools/syntax"
import { toolGrammar } from "../../../src/prompt/tools/tool-grammar"
import { matches } from "../../support/grammar-match"
import { ANY, expectAgreement } from "./agreement"
import { FAMILIES, tokensOf } from "./families"
import { randomTools } from "./random-tools"
import { read, seeded } from "./reading"

describe.each(FAMILIES.map((family) => [family.name, family] as const))("%s", (_, family) => {
  // Variants are read, but not forced; nor is a form that only other models write.
  const forced = family.examples.filter(({ calls }) => calls.length > 0)

  test("allows what its template renders", () => {
    const { grammar } = toolGrammar({ syntax: family.syntax, use: ANY })
    const shown = parseGbnf(toGbnf(grammar))
    const allowed = forced.filter(({ text, content = "" }) => content === "" && matches(shown, text))
    expect(allowed.length).toBeGreaterThan(0)
  })

  test("allows a few blanks after the last call, and nothing else", () => {
    const { sectionEnd, isParallel } = family.syntax
    for (const use of [ANY, { ...ANY, isParallel: false }]) {
      const shown = parseGbnf(toGbnf(toolGrammar({ syntax: family.syntax, use }).grammar))
      const whole = forced.filter(({ text }) => matches(shown, text))
      expect(whole.length > 0 || !isParallel || !use.isParallel).toBe(true)
      const end = sectionEnd.map((part) => (part.type === "text" ? part.text : "")).join("")
      for (const { text, calls } of whole) {
        const before = text.slice(0, text.length - end.length)
        for (const blanks of ["\n", "\n\n", " \n"])
          for (const blank of [text + blanks, before + blanks + end]) {
            expect([blank, matches(shown, blank)]).toEqual([blank, true])
            const reader = read(family.syntax, Array.from(blank))
            expect([blank, reader.content, reader.calls.length]).toEqual([blank, "", calls.length])
          }
        for (const more of ["\n".repeat(9), "\nx", "x"]) expect(matches(shown, text + more)).toBe(false)
      }
    }
  })

  test("allows only calls, which are read as such and are valid", () => {
    expectAgreement({ syntax: family.syntax, controlTokens: tokensOf(family), rounds: 60 })
  })

  test("goes on after each trigger", () => {
    for (const after of triggersOf(family.syntax))
      expectAgreement({ syntax: family.syntax, after, rounds: 20 })
  })

  test("agrees with its parser about any tools", () => {
    const random = seeded(family.name.length)
    for (let round = 0; round < 15; round++) {
      const use: ToolUse = { tools: randomTools(random), choice: "required", isParallel: round % 2 === 0 }
      expectAgreement({ syntax: family.syntax, controlTokens: tokensOf(family), use, rounds: 4 })
    }
  })

  test("has one call only, of the tools that may be called, where that is wanted", () => {
    const use = { ...ANY, callable: ["now", "order"], isParallel: false }
    expectAgreement({ syntax: family.syntax, use, rounds: 20 })
  })
})
