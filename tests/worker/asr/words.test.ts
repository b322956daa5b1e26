import { describe, expect, test } from "bun:test"
import { toSegments } from "../../../src/worker/asr/segments"
import { toWords, type Word } from "../../../src/worker/asr/words"

/** Tokens that follow each other every half a second. */
function wordsOf(text: string, tokens: readonly string[], durations: readonly number[] = []): Word[] {
  const timestamps = tokens.map((_, i) => i / 2)
  return toWords({ text, tokens, timestamps, durations }, tokens.length / 2)
}

const texts = (words: readonly Word[]): string[] => words.map(({ text }) => text)

describe("words", () => {
  test("are the tokens from one space to the next", () => {
    expect(wordsOf("Ever tried", [" E", "ver", " tri", "ed"])).toEqual([
      { text: "Ever", start: 0, end: 0.9 },
      { text: " tried", start: 1, end: 1.9 },
    ])
  })

  test("end where the engine says that their last token does", () => {
    const [first, second] = wordsOf("a b", [" a", " b"], [0.3, 0.2])
    expect(first?.end).toBeCloseTo(0.3)
    expect(second?.end).toBeCloseTo(0.7)
  })

  test("take punctuation with them, whose time is not theirs", () => {
    const words = wordsOf("Well, no.", [" Well", ",", " no", "."], [0.5, 0.5, 0.5, 0.5])
    expect(texts(words)).toEqual(["Well,", " no."])
    expect(words[0]?.end).toBe(0.5)
  })

  test("are single signs in scripts without spaces", () => {
    expect(texts(wordsOf("今天，好", ["今", "天", "，", "好"]))).toEqual(["今", "天，", "好"])
    expect(texts(wordsOf("今「天」", ["今", "「", "天", "」"]))).toEqual(["今", "「天」"])
  })

  test("with spaces as tokens of their own keep them", () => {
    expect(texts(wordsOf("ab cd", ["a", "b", " ", "c", "d"]))).toEqual(["ab", " cd"])
  })

  test("are whole although a character is spread over tokens that are none", () => {
    const words = wordsOf("a 🙂 b", [" a", " \ufffd", "\ufffd", " b"])
    expect(texts(words).join("")).toBe("a 🙂 b")
    expect(words.at(-1)).toMatchObject({ text: " b", start: 1.5 })
  })

  test("have all of the text, whatever the tokens are", () => {
    expect(texts(wordsOf("one two", ["x", "y"])).join("")).toBe("one two")
    expect(texts(wordsOf("one two", ["one"])).join("")).toBe("one two")
  })

  test("do not reach beyond the stretch", () => {
    const words = toWords({ text: "a", tokens: ["a"], timestamps: [9], durations: [5] }, 10)
    expect(words).toEqual([{ text: "a", start: 9, end: 10 }])
    const behind = toWords({ text: "a", tokens: ["a"], timestamps: [11], durations: [1] }, 10)
    expect(behind).toEqual([{ text: "a", start: 10, end: 10 }])
  })
})

/** Words of half a second, after pauses of the seconds before them. */
function said(...parts: readonly (readonly [pause: number, text: string])[]): Word[] {
  let time = 0
  return parts.map(([pause, text]) => {
    const start = time + pause
    time = start + 0.5
    return { text: ` ${text}`, start, end: time }
  })
}

describe("segments", () => {
  test("are sentences", () => {
    const segments = toSegments(said([0, "Ever"], [0, "tried."], [0.2, "Ever"], [0, "failed?"], [0.1, "Yes"]))
    expect(segments.map(({ text }) => text)).toEqual(["Ever tried.", "Ever failed?", "Yes"])
    expect(segments[1]).toMatchObject({ start: 1.2, end: 2.2 })
    expect(segments[1]?.words).toEqual([
      { word: "Ever", start: 1.2, end: 1.7 },
      { word: "failed?", start: 1.7, end: 2.2 },
    ])
  })

  test("join sentences of a moment", () => {
    expect(toSegments(said([0, "No."], [0.1, "Never"], [0, "again."])).map(({ text }) => text)).toEqual([
      "No. Never again.",
    ])
  })

  test("end at a pause", () => {
    expect(toSegments(said([0, "one"], [0, "two"], [1, "three"])).map(({ text }) => text)).toEqual([
      "one two",
      "three",
    ])
  })

  test("are not longer than can be read, and lose no word", () => {
    const words = said(...Array.from({ length: 200 }, (_, i) => [0, `w${i}`] as const))
    const segments = toSegments(words)
    for (const { start, end } of segments) expect(end - start).toBeLessThanOrEqual(14)
    expect(segments.map(({ text }) => text).join(" ")).toBe(words.map(({ text }) => text.trim()).join(" "))
  })

  test("of nothing are none", () => {
    expect(toSegments([])).toEqual([])
  })
})
