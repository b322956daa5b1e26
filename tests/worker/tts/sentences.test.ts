import { describe, expect, test } from "bun:test"
import { splitIntoPieces } from "../../../src/worker/tts/sentences"

const texts = (text: string) => splitIntoPieces(text).map((piece) => piece.text)

describe("a text is divided into sentences", () => {
  test.each([
    ["One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]],
    ["Wait... what?! Yes.", ["Wait...", "what?!", "Yes."]],
    ['"Stop!" he said. (Twice.) Then he left.', ['"Stop!"', "he said.", "(Twice.)", "Then he left."]],
    [
      "No. Dr. Smith met J. R. Brown, e.g. at 3.14 p.m. So did I. Yes.",
      ["No.", "Dr. Smith met J. R. Brown, e.g. at 3.14 p.m. So did I.", "Yes."],
    ],
    ["今日は。お元気ですか？はい！", ["今日は。", "お元気ですか？", "はい！"]],
    ["नमस्ते। आप कैसे हैं?", ["नमस्ते।", "आप कैसे हैं?"]],
    ["مرحبا؟ نعم.", ["مرحبا؟", "نعم."]],
    ["A line\nthat goes on.\n\nA heading\n\nText.", ["A line that goes on.", "A heading", "Text."]],
    ["  spaces \t everywhere  ", ["spaces everywhere"]],
    ["Hello. ...", ["Hello. ..."]],
    ["www.example.com is 1.5 m away", ["www.example.com is 1.5 m away"]],
  ])("%p", (text, expected) => {
    expect(texts(text)).toEqual(expected)
  })

  test("so that each is there once, in order", () => {
    const text = "One two. Three, four! Five? Six seven; eight."
    expect(texts(text).join(" ")).toBe(text)
  })

  test.each(["", "   ", "\n\n", "\u0000\u0007", "\u200b\ufeff"])("%p has none", (text) => {
    expect(texts(text)).toEqual([])
  })

  test("without what no voice can say", () => {
    expect(texts("he\u0000l\u00adlo \u202ethere\ud800.")).toEqual(["he l lo there ."])
  })
})

describe("a first sentence that is long", () => {
  const clause = "When the long day came to its end,"
  const rest = "nobody knew who had seen the old man last."

  test("is cut at its first clause", () => {
    expect(splitIntoPieces(`${clause} ${rest}`)).toEqual([
      { text: clause, endsSentence: false },
      { text: rest, endsSentence: true },
    ])
  })

  test("is whole where its only clause is too short, or there is none", () => {
    const short = `So, ${rest.repeat(2)}`
    expect(texts(short)[0]).toStartWith("So, nobody")
    expect(texts(rest.repeat(2).replaceAll(".", ""))).toHaveLength(1)
  })

  test("is cut at the marks of scripts without spaces", () => {
    const text = `${"山".repeat(20)}、${"川".repeat(50)}。`
    expect(texts(text)).toEqual([`${"山".repeat(20)}、`, `${"川".repeat(50)}。`])
  })

  test("only the first", () => {
    expect(texts(`Yes. ${clause} ${rest}`)).toEqual(["Yes.", `${clause} ${rest}`])
  })
})

describe("no piece is longer than what a voice makes in reasonable time", () => {
  test.each([
    ["words without a mark", "word ".repeat(1000)],
    ["clauses", "some words, ".repeat(500)],
    ["one word", "a".repeat(4096)],
    ["pairs of surrogates", "🙂".repeat(2000)],
  ])("of %s", (_, text) => {
    const pieces = splitIntoPieces(text)
    expect(Math.max(...pieces.map((piece) => piece.text.length))).toBeLessThanOrEqual(400)
    expect(pieces.filter(({ endsSentence }) => endsSentence)).toHaveLength(1)
    expect(
      pieces
        .map((piece) => piece.text)
        .join("")
        .replaceAll(" ", ""),
    ).toBe(text.replaceAll(" ", ""))
    expect(pieces.every((piece) => piece.text.isWellFormed())).toBe(true)
  })
})
