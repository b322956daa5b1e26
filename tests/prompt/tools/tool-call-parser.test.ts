import { describe, expect, test } from "bun:test"
import { splitAtTokens } from "../../../src/prompt/tools/control-tokens"
import { ToolCallParser } from "../../../src/prompt/tools/tool-call-parser"
import { Reader, read, seeded } from "./reading"
import { FAMILIES, TOOLS, tokensOf } from "./families"

describe.each(FAMILIES.map((family) => [family.name, family] as const))("%s", (_, family) => {
  test.each(family.examples.map((example) => [example.text, example] as const))("%j", (text, example) => {
    const { content, calls } = read(family.syntax, [text])
    expect(content).toBe(example.content ?? "")
    expect(calls.map(({ name, json }) => [name, JSON.parse(json)])).toEqual(
      example.calls.map(([name, args]) => [name, args]),
    )
    for (const [index, [, , id]] of example.calls.entries())
      if (id !== undefined) expect([calls[index]?.id, calls[index]?.end?.writtenId]).toContain(id)
    expect(calls.every(({ end }) => end?.isWhole)).toBe(true)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
  })

  test("reads the same however the text is divided", () => {
    const random = seeded(family.name.length)
    for (const { text } of family.examples) {
      const whole = read(family.syntax, [text])
      expect(withoutIds(read(family.syntax, Array.from(text)))).toEqual(withoutIds(whole))
      for (let round = 0; round < 20; round++)
        expect(withoutIds(read(family.syntax, divided(text, random)))).toEqual(withoutIds(whole))
    }
  })

  test("reads the same where its markers are tokens, and their texts are none then", () => {
    const controlTokens = tokensOf(family)
    if (controlTokens.length === 0) return
    for (const { text } of family.examples) {
      const reader = new Reader()
      const parser = new ToolCallParser({ syntax: family.syntax, tools: TOOLS, sink: reader, controlTokens })
      for (const part of splitAtTokens(text, controlTokens))
        if (typeof part === "string") for (const each of part) parser.push(each)
        else expect(parser.token(part.id)).toBe(true)
      expect(parser.token(5)).toBe(false)
      parser.end()
      expect(withoutIds(reader)).toEqual(withoutIds(read(family.syntax, [text])))
    }
  })

  test("cut anywhere, gives what came until then", () => {
    for (const { text } of family.examples) {
      const whole = read(family.syntax, [text])
      for (let length = 0; length < text.length; length++) {
        const cut = read(family.syntax, [text.slice(0, length).toWellFormed()])
        for (const [index, call] of cut.calls.entries()) {
          expect(call.name).toBe(whole.calls[index]?.name ?? "")
          expect(call.end?.isWhole).toBeBoolean()
          if (call.end?.isWhole === true) JSON.parse(call.json)
        }
      }
    }
  })
})

function divided(text: string, random: () => number): readonly string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length;) {
    const length = 1 + Math.floor(random() * 12)
    pieces.push(text.slice(at, at + length))
    at += length
  }
  return pieces
}

function withoutIds({ content, calls }: Reader) {
  return { content, calls: calls.map(({ name, json, end }) => ({ name, json, end })) }
}
