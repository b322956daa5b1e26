import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ElementType, ExternalTensor } from "../../../src/formats/onnx/graph-writer"
import { int8Weights } from "../../../src/formats/speech/whisper/int8-weights"
import type { Linear, WhisperWeights } from "../../../src/formats/speech/whisper/weights"
import { tempFolder } from "../../support/temp-folder"

/** Two outputs of three inputs. */
const MATRIX = [0.5, -1, 0.25, 0.1, 0.02, -0.3]

const ENCODED: Readonly<Record<string, readonly [type: ElementType, bytes: ArrayBufferView]>> = {
  float: ["float", Float32Array.from(MATRIX)],
  float16: ["float16", Float16Array.from(MATRIX)],
  bfloat16: [
    "bfloat16",
    Uint16Array.from(new Uint32Array(Float32Array.from(MATRIX).buffer), (bits) => bits >>> 16),
  ],
}

/** A Whisper of one matrix, whose other parts are left out. */
function weightsOf(logits: Linear): WhisperWeights {
  const tensor: ExternalTensor = { type: "float", shape: [0], location: "w", offset: 0, bytes: 0 }
  const norm = { gamma: tensor, beta: tensor }
  return {
    heads: 1,
    convolutions: [logits, logits],
    encoderPositions: tensor,
    encoder: [],
    encoderNorm: norm,
    embedding: logits.weight,
    decoderPositions: tensor,
    decoder: [],
    decoderNorm: norm,
    logits,
  }
}

async function rounded(logits: Linear, path: string) {
  const { weights, write } = int8Weights(weightsOf(logits), [path], "int8.bin")
  const parts: Uint8Array[] = []
  for await (const part of write()) parts.push(part)
  const file = Buffer.concat(parts)
  const { scale, values } = weights.logits.int8 ?? {}
  if (scale === undefined || values === undefined) throw new Error("the matrix was not rounded")
  expect([scale.location, values.location, values.shape]).toEqual(["int8.bin", "int8.bin", [3, 2]])
  expect(file.length).toBe(scale.bytes + values.bytes)
  const at = <T>(tensor: ExternalTensor, read: (buffer: ArrayBuffer) => T): T =>
    read(Uint8Array.from(file.subarray(tensor.offset, tensor.offset + tensor.bytes)).buffer)
  return {
    scales: [...at(scale, (buffer) => new Float32Array(buffer))],
    values: [...at(values, (buffer) => new Int8Array(buffer))],
  }
}

describe("a matrix", () => {
  test.each(Object.keys(ENCODED))("of %s is rounded to bytes with one scale per output", async (name) => {
    using folder = tempFolder()
    const path = join(folder.path, "model.bin")
    const [type, numbers] = ENCODED[name] ?? ["float", new Float32Array()]
    const before = Buffer.alloc(6)
    writeFileSync(path, Buffer.concat([before, Buffer.from(numbers.buffer)]))
    const values: ExternalTensor = {
      type,
      shape: [2, 3],
      location: "model.bin",
      offset: before.length,
      bytes: numbers.byteLength,
    }
    const result = await rounded({ weight: { values } }, path)
    // A row per input: what was a row is a column.
    expect(result.values).toEqual([64, 42, -127, 8, 32, -127])
    expect(result.scales[0]).toBeCloseTo(1 / 127, 4)
    expect(result.scales[1]).toBeCloseTo(0.3 / 127, 4)
  })

  test("of bytes keeps them, with the scale that they have", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "model.bin")
    const bytes = Int8Array.of(127, -5, 3, -127, 0, 64)
    writeFileSync(
      path,
      Buffer.concat([Buffer.from(bytes.buffer), Buffer.from(Float32Array.of(254, 127).buffer)]),
    )
    const values = { type: "int8", shape: [2, 3], location: "model.bin", offset: 0, bytes: 6 } as const
    const scale = { type: "float", shape: [2], location: "model.bin", offset: 6, bytes: 8 } as const
    const result = await rounded({ weight: { values, scale } }, path)
    expect(result.values).toEqual([127, -127, -5, 0, 3, 64])
    expect(result.scales).toEqual([expect.closeTo(1 / 254, 6), expect.closeTo(1 / 127, 6)])
  })

  test("of zeros stays one", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "model.bin")
    writeFileSync(path, new Uint8Array(24))
    const values = { type: "float", shape: [2, 3], location: "model.bin", offset: 0, bytes: 24 } as const
    expect(await rounded({ weight: { values } }, path)).toEqual({
      scales: [0, 0],
      values: [0, 0, 0, 0, 0, 0],
    })
  })
})
