import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Library } from "../../src/llama/library"
import { MarkerCuts } from "../../src/llama/marker-cuts"
import { Model } from "../../src/llama/model"
import { locateLlama } from "../../src/native/llama-files"
import { writeTinyModel } from "../support/files/tiny-model"
import { EXACT_SETTINGS } from "../support/real/real-worker"
import { tempFolder } from "../support/temp-folder"

setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  const { path } = writeTinyModel(join(folder.path, "tiny.gguf"), { controls: ["<|", "a<|b|>"] })
  const loaded = Model.load(library, path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  model = loaded
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

describe("a long text", () => {
  const turn = "<|im_start|>user\nhow far is the moon<|im_end|>\n"

  test("is cut before markers only, and into slices of similar length", () => {
    const slices = new MarkerCuts(["<|im_start|>"], ["<|im_start|>", "<|im_end|>"]).slices(turn.repeat(2000))
    expect(slices.join("")).toBe(turn.repeat(2000))
    expect(slices.length).toBeGreaterThan(4)
    for (const slice of slices) expect(slice).toStartWith("<|im_start|>")
    for (const slice of slices) expect(slice.length).toBeLessThan(17_000)
  })

  test.each([
    ["that another one contains", ["<a>"], ["<a>", "x<a>y"]],
    ["that another one runs into", ["<a>"], ["<a>", "b<"]],
    ["that runs into another one", ["<a>"], ["<a>", ">>"]],
    ["that runs into itself", ["<<"], ["<<", "<"]],
  ])("is not cut before a marker %s", (_, markers, others) => {
    const text = `${markers[0]} `.repeat(20_000)
    expect(new MarkerCuts(markers, others).slices(text)).toEqual([text])
  })

  test("has the same tokens in slices as in one", () => {
    const { vocabulary } = model
    const bytes = (text: string) => new TextEncoder().encode(text)
    for (const text of [
      turn.repeat(900),
      `${"moon ".repeat(9000)}${turn.repeat(300)} moon`,
      "<|im_end|>".repeat(5000),
    ])
      for (const addSpecial of [false, true]) {
        const options = { addSpecial, parseSpecial: true }
        expect(vocabulary.tokenize(text, options)).toEqual(vocabulary.tokenizeBytes(bytes(text), options))
      }
  })

  test("of nothing but markers takes time by their number, not its square", () => {
    const { vocabulary } = model
    const text = "<|im_end|>".repeat(100_000)
    // In one piece: half a minute.
    expect(vocabulary.tokenize(text, { addSpecial: false, parseSpecial: true })).toHaveLength(100_000)
  }, 20_000)
})
