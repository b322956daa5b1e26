import { describe, expect, test } from "bun:test"
import type { PartStart } from "../../../../src/domain/chat"
import { parseGbnf } from "../../../../src/grammar/gbnf/parse"
import { toGbnf } from "../../../../src/grammar/print"
import { toolGrammar } from "../../../../src/prompt/tools/tool-grammar"
import type { PartWriter } from "../../../../src/worker/text/output/parser"
import { ToolOutputParser } from "../../../../src/worker/text/output/tool-parser"
import { FAMILIES, type Family, TOOLS } from "../../../prompt/tools/families"
import { ANY } from "../../../prompt/tools/agreement"
import { matches } from "../../../support/grammar-match"

class Parts implements PartWriter {
  readonly all: (PartStart & { text: string })[] = []

  start(part: PartStart): void {
    this.all.push({ ...part, text: "" })
  }

  text(text: string): void {
    const last = this.all.at(-1)
    if (last !== undefined) last.text += text
  }

  end(): void {}

  get said(): string {
    return this.all.flatMap(({ part, text }) => (part === "text" ? [text] : [])).join("")
  }
}

function read({ syntax }: Family, text: string, isRequired: boolean): Parts {
  const parts = new Parts()
  const calls = { syntax, controls: [], tools: "[]", earlierIds: [], isRequired }
  const parser = new ToolOutputParser(calls, TOOLS)
  for (const character of text) parser.push(character, parts)
  parser.end(parts)
  return parts
}

describe.each(FAMILIES.map((family) => [family.name, family] as const))("%s", (_, family) => {
  const { grammar } = toolGrammar({ syntax: family.syntax, use: ANY })
  const shown = parseGbnf(toGbnf(grammar))
  const texts = family.examples.map(({ text }) => text).filter((text) => matches(shown, text))

  test("cut anywhere, an answer that must be a call has no text", () => {
    expect(texts.length).toBeGreaterThan(0)
    for (const text of texts)
      for (let length = 0; length <= text.length; length++) {
        const cut = text.slice(0, length).toWellFormed()
        expect([cut, read(family, cut, true).said]).toEqual([cut, ""])
      }
  })

  test("cut after its first call, any answer has no text after it", () => {
    for (const text of texts)
      for (let length = 0; length <= text.length; length++) {
        const cut = text.slice(0, length).toWellFormed()
        const { all } = read(family, cut, false)
        const call = all.findIndex(({ part }) => part === "tool-call")
        if (call >= 0) expect([cut, ...all.slice(call).map(({ part }) => part)]).not.toContain("text")
      }
  })
})

describe("a beginning of a marker that never became one", () => {
  const [hermes] = FAMILIES
  test.each(["<tool", "I know <tool_cal", "a <"])("is text where the answer may be text: %j", (text) => {
    if (hermes === undefined) throw new Error("there is no family")
    expect(read(hermes, text, false).said).toBe(text)
  })
})
