import { expect, test } from "bun:test"
import { packTexts, TextQueue } from "../../../src/worker/embedding/text-queue"

function request(name: string, lengths: readonly number[]) {
  const texts = lengths.map((length, index) => ({ index, tokens: new Int32Array(length) }))
  return { name, waiting: new TextQueue(texts) }
}

function lengthsOf(pack: ReturnType<typeof packTexts<ReturnType<typeof request>>>): string[] {
  return pack.texts.map(({ request: { name }, tokens }) => `${name}${tokens.length}`)
}

test("texts are packed from the longest on, as far as they fit", () => {
  const a = request("a", [100, 300, 50, 200])
  expect(lengthsOf(packTexts([a], 512, 64))).toEqual(["a300", "a200"])
  expect(lengthsOf(packTexts([a], 512, 64))).toEqual(["a100", "a50"])
  expect(packTexts([a], 512, 64).texts).toEqual([])
})

test("requests give one text each in turn", () => {
  const [a, b] = [request("a", [60, 60, 60, 60, 60]), request("b", [60])]
  expect(lengthsOf(packTexts([a, b], 200, 64))).toEqual(["a60", "b60", "a60"])
})

test("a text longer than a decode usually has is taken on its own", () => {
  const [a, b] = [request("a", [900, 10]), request("b", [10])]
  expect(lengthsOf(packTexts([a, b], 512, 64))).toEqual(["a900"])
  expect(lengthsOf(packTexts([b, a], 512, 64))).toEqual(["b10", "a10"])
})

test("a decode has at most so many texts", () => {
  const a = request("a", [1, 1, 1, 1])
  expect(packTexts([a], 512, 3).texts).toHaveLength(3)
})
