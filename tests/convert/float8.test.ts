import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { failure } from "../support/failure"
import type { DenseTensor } from "../support/hf/dense-safetensors"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())

const NAME = "model.layers.0.mlp.up_proj.weight"
const ROWS = 128
const COLUMNS = 64
/** Of the types E4M3 and E5M2: 1, -1.5, the smallest, the largest. */
const E4M3 = { bytes: [0x38, 0xbc, 0x01, 0x7e], values: [1, -1.5, 2 ** -9, 448] }
const E5M2 = { bytes: [0x3c, 0xbe, 0x01, 0x7b], values: [1, -1.5, 2 ** -16, 57_344] }

/** A tiny model in which one tensor has 8 bits, and the scales beside it. */
async function convert(
  quantization: Readonly<Record<string, unknown>>,
  scales: Pick<DenseTensor, "name" | "shape" | "values">,
  type: "F8_E4M3" | "F8_E5M2" = "F8_E4M3",
): Promise<Float32Array> {
  const make = TINY_FOLDERS["qwen2"]
  if (make === undefined) throw new Error("no folder")
  const tiny = make()
  const { bytes } = type === "F8_E4M3" ? E4M3 : E5M2
  const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, index) => bytes[index % 4] ?? 0)
  const quantized: DenseTensor = { name: NAME, shape: [ROWS, COLUMNS], values, dtype: type }
  const others = tiny.tensors.filter(({ name }) => name !== NAME)
  const input: DenseTensor = {
    name: NAME.replace("weight", "input_scale"),
    shape: [1],
    values: new Float32Array([1]),
  }
  const folder = writeTinyFolder(join(place, crypto.randomUUID()), {
    ...tiny,
    config: { ...tiny.config, quantization_config: quantization },
    tensors: [...others, quantized, { ...scales, dtype: "F32" }, input],
  })
  await using plan = await planGguf(await HfFolder.open(folder), { outType: "f32", pre: "qwen2" })
  const found = plan.tensors.find(({ name }) => name === "blk.0.ffn_up.weight")
  if (found === undefined) throw new Error("the tensor is missing")
  const chunks: Uint8Array[] = []
  for await (const chunk of found.data()) chunks.push(chunk.slice())
  return new Float32Array(Buffer.concat(chunks).buffer.slice(0, found.bytes))
}

function expected(of: typeof E4M3, scale: (row: number, column: number) => number): Float32Array {
  return Float32Array.from(
    { length: ROWS * COLUMNS },
    (_, index) => (of.values[index % 4] ?? 0) * scale(Math.floor(index / COLUMNS), index % COLUMNS),
  )
}

describe("weights of 8 bits", () => {
  test("are multiplied with the scales of their blocks, the last of which may be cut", async () => {
    const values = Float32Array.from({ length: 9 }, (_, index) => 2 ** (index - 4) + 0.125)
    const made = await convert(
      { quant_method: "fp8", weight_block_size: [48, 24] },
      { name: `${NAME}_scale_inv`, shape: [3, 3], values },
    )
    const scale = (row: number, column: number) =>
      values[Math.floor(row / 48) * 3 + Math.floor(column / 24)] ?? 0
    expect(made).toEqual(expected(E4M3, scale))
  })

  test("may have a scale for each row, or one for all", async () => {
    const format = (strategy: string) => ({
      quant_method: "compressed-tensors",
      format: "float-quantized",
      config_groups: { group_0: { weights: { num_bits: 8, type: "float", strategy } } },
    })
    const rows = Float32Array.from({ length: ROWS }, (_, row) => 1 / (row + 1))
    const name = `${NAME}_scale`
    const perRow = await convert(format("channel"), { name, shape: [ROWS, 1], values: rows }, "F8_E5M2")
    expect(perRow).toEqual(expected(E5M2, (row) => rows[row] ?? 0))
    const one = await convert(format("tensor"), { name, shape: [1], values: new Float32Array([0.5]) })
    expect(one).toEqual(expected(E4M3, () => 0.5))
  })

  test("are refused where scales do not fit, or are packed otherwise", async () => {
    const fp8 = { quant_method: "fp8", weight_block_size: [48, 24] }
    const scales = { name: `${NAME}_scale_inv`, shape: [2, 3], values: new Float32Array(6) }
    expect((await failure(convert(fp8, scales))).message).toContain(
      `the tensor '${NAME}' of 128 × 64 has 6 scales`,
    )
    const packed = { quant_method: "compressed-tensors", format: "pack-quantized", config_groups: {} }
    expect((await failure(convert(packed, scales))).message).toContain(
      "quantized already (compressed-tensors, pack-quantized)",
    )
    const strange = { quant_method: "fp8", weight_block_size: [0, "x"] }
    expect((await failure(convert(strange, scales))).message).toContain("the block size of its quantization")
  })
})
