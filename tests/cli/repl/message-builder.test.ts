import { describe, expect, test } from "bun:test"
import { type BuilderResult, MessageBuilder } from "../../../src/cli/repl/message-builder"

const more: BuilderResult = { type: "more" }
const plain = (text: string): BuilderResult => ({ type: "message", text, isQuoted: false })
const quoted = (text: string): BuilderResult => ({ type: "message", text, isQuoted: true })

function build(...lines: string[]): readonly BuilderResult[] {
  const builder = new MessageBuilder()
  return lines.map((line) => builder.add(line))
}

describe("lines become messages", () => {
  test("each is one, outside of quotes", () => {
    expect(build("hello", "", "  x ")).toEqual([plain("hello"), plain(""), plain("  x ")])
  })

  test("those between quotes are one", () => {
    expect(build('"""', "a", "", "  b", '"""', "next")).toEqual([
      more,
      more,
      more,
      more,
      quoted("a\n\n  b"),
      plain("next"),
    ])
  })

  test("text may stand beside the quotes", () => {
    expect(build('"""a', 'b"""  ')).toEqual([more, quoted("a\nb")])
    expect(build('"""a b"""')).toEqual([quoted("a b")])
    expect(build('""""""')).toEqual([quoted("")])
  })

  test("quotes in the middle of a line open nothing", () => {
    expect(build('say """ twice')).toEqual([plain('say """ twice')])
  })

  test("a pasted text with line ends may open and close quotes", () => {
    expect(build('"""a\nb"""')).toEqual([quoted("a\nb")])
  })

  test("a system message may have several lines; it stays a command", () => {
    expect(build('/set system """a', 'b"""')).toEqual([more, plain("/set system a\nb")])
  })

  test("what was begun can be dropped", () => {
    const builder = new MessageBuilder()
    builder.add('"""lost')
    expect(builder.isOpen).toBe(true)
    builder.reset()
    expect(builder.isOpen).toBe(false)
    expect(builder.add("next")).toEqual(plain("next"))
  })
})
