import { expect, test } from "bun:test"
import { CannotMeasure } from "../../../src/errors/cli"
import { RandomText, singleTokenWords } from "../../../src/measure/http/words"

/** Counts one token a word and one of its own, but two for each word that `isSplit`. */
function counter(isSplit: (word: string) => boolean): (text: string) => Promise<number> {
  return async (text) => {
    const words = text.trim().split(" ")
    return 1 + words.length + words.filter(isSplit).length
  }
}

test("words that the model splits are left out, all others stay", async () => {
  const all = await singleTokenWords(counter(() => false))
  const split = new Set(["story", "war", all.at(0), all.at(-1)])
  const found = await singleTokenWords(counter((word) => split.has(word)))
  expect(found).toEqual(all.filter((word) => !split.has(word)))
  expect(found.length).toBe(all.length - 4)
})

test("a model that splits nearly every word cannot be given prompts of exact lengths", async () => {
  const attempt = singleTokenWords(counter((word) => word !== "the"))
  await expect(attempt).rejects.toThrow(CannotMeasure)
})

test("a text has as many words as were asked for, each after a space", () => {
  const text = new RandomText(["one", "two", "three"], 7).next(50)
  expect(text).toMatch(/^( (one|two|three)){50}$/)
})

test("the same seed repeats the same texts; later texts and other seeds differ", () => {
  const words = ["one", "two", "three", "four"]
  const [first, again, other] = [new RandomText(words, 7), new RandomText(words, 7), new RandomText(words, 8)]
  const text = first.next(30)
  expect(again.next(30)).toBe(text)
  expect(first.next(30)).not.toBe(text)
  expect(other.next(30)).not.toBe(text)
})

test("all words are drawn", () => {
  const text = new RandomText(["one", "two", "three", "four"], 1).next(200)
  expect(new Set(text.trim().split(" ")).size).toBe(4)
})
