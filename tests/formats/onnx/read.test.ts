import { afterAll, describe, expect, test } from "bun:test"
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { InvalidModelFile } from "../../../src/errors/model"
import { encodeMetadata } from "../../../src/formats/onnx/metadata"
import { describeOnnx, readOnnx } from "../../../src/formats/onnx/read"
import { encodeOnnx } from "../../support/files/onnx-writer"
import { encodeTinyTtsModel, TINY_TTS_MODEL_METADATA } from "../../support/files/tiny-tts-model"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const file = (name: string, content: Uint8Array | string): string => {
  const path = join(folder.path, name)
  writeFileSync(path, content)
  return path
}

describe("reading an ONNX file", () => {
  test("finds metadata, inputs and outputs with their types and shapes", async () => {
    const model = await readOnnx(file("voice.onnx", encodeTinyTtsModel()))
    const expected = Object.fromEntries(
      Object.entries(TINY_TTS_MODEL_METADATA).map(([key, value]) => [key, `${value}`]),
    )
    expect(Object.fromEntries(model.metadata)).toEqual(expected)
    expect(model.producer).toBe("xllm-tests")
    expect(model.inputs.map(({ name }) => name)).toEqual([
      "x",
      "x_length",
      "noise_scale",
      "length_scale",
      "noise_scale_w",
      "sid",
    ])
    expect(model.inputs[0]).toEqual({ name: "x", type: "int64", shape: [1, "L"] })
    expect(model.outputs).toEqual([{ name: "y", type: "float", shape: [1, 1, "T"] }])
  })

  test("describes them in one line", async () => {
    const model = await readOnnx(file("described.onnx", encodeTinyTtsModel({ piperInputs: true })))
    expect(describeOnnx(model)).toBe(
      "inputs: input int64[1,L], input_lengths int64[1], scales float[3], sid int64[1]; outputs: y float[1,1,T]",
    )
  })

  test("finds metadata that were added at its end", async () => {
    const path = file("added.onnx", encodeTinyTtsModel({ metadata: {} }))
    appendFileSync(path, encodeMetadata({ sample_rate: 22_050, comment: "größer".repeat(100) }))
    const { metadata, inputs } = await readOnnx(path)
    expect(Object.fromEntries(metadata)).toEqual({ sample_rate: "22050", comment: "größer".repeat(100) })
    expect(inputs).toHaveLength(6)
  })

  test("leaves weights unread, however large", async () => {
    const values = Array.from({ length: 200_000 }, (_, index) => index)
    const weights = { name: "w", type: "float", shape: [values.length], values } as const
    const port = { name: "p", type: "float", shape: [] } as const
    const graph = {
      nodes: [],
      constants: [weights, weights],
      inputs: [port],
      outputs: [port],
      metadata: { a: "b" },
    }
    const { metadata, inputs } = await readOnnx(file("large.onnx", encodeOnnx(graph)))
    expect(metadata.get("a")).toBe("b")
    expect(inputs).toEqual([port])
  })
})

describe("what is no whole ONNX file", () => {
  test("is refused at whatever byte it is cut off", async () => {
    const whole = encodeTinyTtsModel()
    const path = file("cut.onnx", whole)
    const failures = []
    for (let length = whole.length - 1; length >= 0; length -= 7) {
      truncateSync(path, length)
      failures.push(await readOnnx(path).catch((error: unknown) => error))
    }
    // Cut between two of the last fields it is whole as far as anybody can tell.
    const odd = failures.filter((each) => !(each instanceof InvalidModelFile) && !isShorterModel(each))
    expect(odd).toEqual([])
    expect(failures.filter((each) => each instanceof InvalidModelFile).length).toBeGreaterThan(200)
  })

  test.each([
    ["empty", ""],
    ["a text", "just some words that somebody wrote"],
    ["zeros", new Uint8Array(1000)],
    ["ones", new Uint8Array(1000).fill(255)],
    ["a length that reaches far", Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f, 1)],
    ["an endless number", new Uint8Array(64).fill(0x80)],
  ])("is refused: %s", async (name, content) => {
    expect(readOnnx(file(`${name}.onnx`, content))).rejects.toBeInstanceOf(InvalidModelFile)
  })

  test("neither hangs nor crashes with any byte changed", async () => {
    const whole = encodeTinyTtsModel()
    const path = join(folder.path, "changed.onnx")
    for (let at = 0; at < whole.length; at += 3) {
      const changed = Uint8Array.from(whole)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(path, changed)
      const outcome = await readOnnx(path).catch((error: unknown) => error)
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(InvalidModelFile)
    }
    expect(readFileSync(path).length).toBe(whole.length)
  })
})

function isShorterModel(model: unknown): boolean {
  return typeof model === "object" && model !== null && "metadata" in model
}
