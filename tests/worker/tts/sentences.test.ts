import { describe, expect, test } from "bun:test"
import { stopRulesFor } from "../../../src/worker/tts/abbreviations"
import { withoutInnerStops } from "../../../src/worker/tts/sentences"
import { toBlocks } from "../../../src/worker/tts/blocks"
import { type PieceOptions, splitIntoPieces } from "../../../src/worker/tts/pieces"

const pieces = (text: string, options: PieceOptions = { language: "en" }) =>
  splitIntoPieces(toBlocks(text), options)
const texts = (text: string, language = "en") => pieces(text, { language }).map((piece) => piece.text)

describe("a text is divided into sentences", () => {
  test.each([
    ["One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]],
    ["Wait... what?! Yes.", ["Wait... what?!", "Yes."]],
    ["wait. what?! yes.", ["wait.", "what?!", "yes."]],
    ['"Stop!" he said. (Twice.) Then he left.', ['"Stop!" he said.', "(Twice.)", "Then he left."]],
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

describe("a full stop ends no sentence", () => {
  test.each([
    ["en", "The U.S. and the U.K. agreed. It rained.", ["The U.S. and the U.K. agreed.", "It rained."]],
    ["en", "Acme Inc. in Paris, etc. and a Ph.D. in physics.", 1],
    ["en", "The U.S. Senate met Acme Corp. Friday.", 1],
    ["en", "He lives in the U.S. She does not.", ["He lives in the U.S.", "She does not."]],
    ["en", "Apples, pears etc. The rest is gone.", ["Apples, pears etc.", "The rest is gone."]],
    ["en", "Plan B. Then plan C. It works.", ["Plan B.", "Then plan C.", "It works."]],
    ["en", "See No. 5 and Fig. 3 on p. 7. No. Never.", ["See No. 5 and Fig. 3 on p. 7.", "No.", "Never."]],
    ["en", "It was 2020. Then came 21. Nobody knew.", ["It was 2020.", "Then came 21.", "Nobody knew."]],
    ["en", "On Jan. 5 Gov. Smith spoke.", 1],
    ["de", "Am 3. Oktober traf Dr. Meier z. B. Frau Prof. Kunz usw. und ging.", 1],
    ["de", "Es waren 5. Dann ging er.", ["Es waren 5.", "Dann ging er."]],
    [
      "fr",
      "M. Dupont et Mme. Durand, p. ex. hier. Il pleut.",
      ["M. Dupont et Mme. Durand, p. ex. hier.", "Il pleut."],
    ],
    [
      "es",
      "El Sr. Gómez vive en EE.UU. desde 1990. ¿Y usted?",
      ["El Sr. Gómez vive en EE.UU. desde 1990.", "¿Y usted?"],
    ],
    ["ru", "Это г. Москва и т.д. в 2020 г. Он тут.", ["Это г. Москва и т.д. в 2020 г.", "Он тут."]],
  ])("in %s: %p", (language, text, expected) => {
    const sentences = pieces(text, { language }).filter(({ ends }) => ends !== "clause")
    if (typeof expected === "number") expect(sentences).toHaveLength(expected)
    else expect(sentences.map((piece) => piece.text)).toEqual(expected)
  })
})

describe("what the voice gets has no full stop within a sentence", () => {
  test.each([
    ["en", "The U.S. Senate and J. R. Brown vs. Mr. Jones.", "The U.S Senate and J R Brown vs Mr Jones."],
    ["en", "Acme Inc. in Paris, No. 5. It rains.", "Acme Inc. in Paris, No 5. It rains."],
    ["de", "Am 3. Oktober, Nr. 7 bei Hr. Kunz.", "Am 3. Oktober, Nr 7 bei Hr Kunz."],
  ])("in %s: %p", (language, text, expected) => {
    expect(withoutInnerStops(text, stopRulesFor(language))).toBe(expected)
  })
})

describe("lines of a list", () => {
  test("are pieces of their own that end with a pause, and their numbers are no sentences", () => {
    expect(pieces("To do:\n1. Wash the car\n2. Cook dinner.\n   With salt.\n\nThe end.")).toEqual([
      { text: "To do:", ends: "line" },
      { text: "1. Wash the car", ends: "line" },
      { text: "2. Cook dinner.", ends: "sentence" },
      { text: "With salt.", ends: "paragraph" },
      { text: "The end.", ends: "paragraph" },
    ])
  })

  test.each(["- one\n- two", "* one\n* two", "• one\n• two", "a) one\nb) two", "(1) one\n(2) two"])(
    "%p",
    (text) => {
      expect(pieces(text).map(({ ends }) => ends)).toEqual(["line", "paragraph"])
    },
  )

  test("are told from a wrapped text that has one dash or number at the start of a line", () => {
    expect(texts("He was born in\n1970. She was\n- as they said - older.")).toEqual([
      "He was born in 1970.",
      "She was - as they said - older.",
    ])
  })
})

describe("a first sentence that is long", () => {
  const clause = "When the long day came to its end,"
  const rest = "nobody knew who had seen the old man last."

  test("is cut at its first clause", () => {
    expect(pieces(`${clause} ${rest}`)).toEqual([
      { text: clause, ends: "clause" },
      { text: rest, ends: "paragraph" },
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

describe("the length of a piece is that of its sound", () => {
  const longest = (text: string, speed = 1) =>
    Math.max(...pieces(text, { speed }).map((piece) => piece.text.length))

  test.each([
    ["letters", "word ".repeat(200), 140],
    ["digits", "1234567890 ".repeat(50), 25],
    ["ideographs", "山".repeat(300), 56],
    ["symbols", "🙂".repeat(100), 34],
  ])("of %s", (_, text, most) => {
    expect(longest(text)).toBeLessThanOrEqual(most)
    expect(longest(text)).toBeGreaterThan(most * 0.6)
  })

  test("so slow speech has shorter pieces", () => {
    expect(longest("word ".repeat(200), 0.25)).toBeLessThanOrEqual(35)
    expect(longest("word ".repeat(200), 4)).toBeGreaterThan(100)
  })

  test("the last two parts are about equally long", () => {
    const cut = texts("word ".repeat(30).trim())
    expect(cut.map(({ length }) => length)).toEqual([74, 74])
  })
})

test("a whole book is divided in a time that grows with its length", () => {
  const start = performance.now()
  const book = "Mr. Smith went home. He met Dr. Brown, e.g. at No. 5, and said so. ".repeat(15_000)
  expect(texts(book).length).toBeGreaterThan(29_000)
  expect(performance.now() - start).toBeLessThan(20_000)
})

describe("no piece is longer than what a voice makes in reasonable time", () => {
  test.each([
    ["words without a mark", "word ".repeat(1000)],
    ["clauses", "some words, ".repeat(500)],
    ["one word", "a".repeat(4096)],
    ["pairs of surrogates", "🙂".repeat(2000)],
  ])("of %s", (_, text) => {
    const cut = pieces(text)
    expect(Math.max(...cut.map((piece) => piece.text.length))).toBeLessThanOrEqual(140)
    expect(cut.filter(({ ends }) => ends === "paragraph")).toHaveLength(1)
    expect(
      cut
        .map((piece) => piece.text)
        .join("")
        .replaceAll(" ", ""),
    ).toBe(text.replaceAll(" ", ""))
    expect(cut.every((piece) => piece.text.isWellFormed())).toBe(true)
  })
})
