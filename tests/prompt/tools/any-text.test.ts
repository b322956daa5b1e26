import { describe, expect, test } from "bun:test"
import { ToolCallParser } from "../../../src/prompt/tools/tool-call-parser"
import { FAMILIES, type Family, TOOLS } from "./families"
import { read, Reader, seeded } from "./reading"

/** Whatever a model may write: parts of calls, in any order and cut anywhere. */
function confused(family: Family, random: () => number): string {
  const pick = (length: number): number => Math.floor(random() * length)
  const texts = family.examples.map(({ text }) => text)
  let text = ""
  while (text.length < 200) {
    const source = texts[pick(texts.length)] ?? ""
    const from = random() < 0.3 ? 0 : pick(source.length)
    text += source.slice(from, from + 1 + pick(random() < 0.3 ? source.length : 40))
    if (random() < 0.2)
      text +=
        [" ", "\n\n", "a", '"', "{", "é😀", "\\", " ".repeat(random() < 0.2 ? 300 : 9), "12", "tru"][
          pick(10)
        ] ?? ""
  }
  return text.toWellFormed()
}

function shown({ content, calls }: Reader) {
  return { content, calls: calls.map(({ name, json, end }) => ({ name, json, end })) }
}

describe.each(FAMILIES.map((family) => [family.name, family] as const))("%s", (_, family) => {
  test("reads any text the same, however it is divided", () => {
    const random = seeded(23)
    for (let round = 0; round < 150; round++) {
      const text = confused(family, random)
      const whole = read(family.syntax, [text])
      const pieces: string[] = []
      for (let at = 0; at < text.length;) {
        const length = 1 + Math.floor(random() * random() * 30)
        pieces.push(text.slice(at, at + length))
        at += length
      }
      expect([text, shown(read(family.syntax, pieces))]).toEqual([text, shown(whole)])
      expect([text, shown(read(family.syntax, Array.from(text)))]).toEqual([text, shown(whole)])
      for (const { name, json, end } of whole.calls) {
        expect(TOOLS.map((tool) => tool.name) as readonly string[]).toContain(name)
        if (end?.isWhole === true) expect([text, typeof JSON.parse(json)]).toEqual([text, "object"])
      }
    }
  })

  test("holds back little text that is no call", () => {
    const reader = new Reader()
    const parser = new ToolCallParser({ syntax: family.syntax, tools: TOOLS, sink: reader })
    const text = "It is <b>warm</b> [today], {see} the map: a<b, to be = or not. ".repeat(3)
    const opened = family.syntax.text?.start ?? ""
    parser.push(opened)
    for (let at = 0; at < text.length; at++) {
      parser.push(text[at] ?? "")
      // The longest marker of all families has fewer characters than this.
      expect(at + 1 - reader.content.length).toBeLessThan(40)
    }
    parser.end()
    expect(reader.content).toBe(text)
  })
})

/** Families of which an example has a text that can be any other. */
const WITH_TEXT = FAMILIES.flatMap((family) => {
  const example = family.examples.find(({ text }) => text.includes("Oslo"))
  // Where the name comes last, arguments mean nothing before it.
  return example === undefined || family.syntax.call.isNameLast === true ? [] : [{ family, example }]
})

test.each(WITH_TEXT.map((each) => [each.family.name, each] as const))(
  "%s gives out long arguments as they come, without keeping them",
  (_, { family, example }) => {
    const at = example.text.indexOf("Oslo")
    const reader = new Reader()
    const parser = new ToolCallParser({ syntax: family.syntax, tools: TOOLS, sink: reader })
    parser.push(example.text.slice(0, at))
    const written = (): number => reader.calls.at(-1)?.json.length ?? 0
    const start = written()
    for (let count = 1; count <= 2000; count++) {
      parser.push("a <b> [c] ")
      expect(count * 10 - (written() - start)).toBeLessThan(40)
    }
    parser.push(example.text.slice(at + "Oslo".length))
    parser.end()
    expect(reader.calls.every(({ end }) => end?.isWhole)).toBe(true)
    expect(reader.calls).toHaveLength(example.calls.length)
  },
)
