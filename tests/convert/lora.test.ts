import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { planAdapter } from "../../src/convert/lora"
import { HfFolder } from "../../src/convert/source/folder"
import { readGgufHeader } from "../../src/formats/gguf/read"
import { failure } from "../support/failure"
import { type DenseTensor, writeDenseSafetensors } from "../support/hf/dense-safetensors"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())

const BASE = { architecture: "llama", heads: 2, keyValueHeads: 1 }
const RANK = 2
const CONFIG = { peft_type: "LORA", r: RANK, lora_alpha: 16, target_modules: ["q_proj", "down_proj"] }

/** Numbers that say where they were: the row and the column. */
function matrix(name: string, rows: number, columns: number): DenseTensor {
  const values = Float32Array.from({ length: rows * columns }, (_, index) => index)
  return { name: `base_model.model.${name}.weight`, shape: [rows, columns], values, dtype: "F32" }
}

const TENSORS = [
  matrix("model.layers.0.mlp.down_proj.lora_A", RANK, 16),
  matrix("model.layers.0.mlp.down_proj.lora_B", 8, RANK),
  matrix("model.layers.0.self_attn.q_proj.lora_A", RANK, 8),
  matrix("model.layers.0.self_attn.q_proj.lora_B", 8, RANK),
]

function adapter(name: string, change: Readonly<Record<string, unknown>> = {}, tensors = TENSORS): string {
  const folder = join(place, name)
  mkdirSync(folder)
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ ...CONFIG, ...change }))
  writeDenseSafetensors(join(folder, "adapter_model.safetensors"), tensors)
  return folder
}

async function convert(folder: string): Promise<string> {
  await using plan = await planAdapter(await HfFolder.open(folder), BASE)
  const [path = ""] = await convertToGguf({ plan, out: `${folder}.gguf` })
  return path
}

async function numbersOf(path: string, name: string): Promise<readonly number[]> {
  const { tensors, dataOffset } = readGgufHeader(path)
  const tensor = tensors.find((each) => each.name === name)
  if (tensor === undefined) throw new Error(`no tensor '${name}'`)
  const start = dataOffset + tensor.offset
  const bytes = await Bun.file(path)
    .slice(start, start + (tensor.bytes ?? 0))
    .arrayBuffer()
  return [...new Float32Array(bytes)]
}

describe("an adapter that PEFT wrote", () => {
  test("becomes a GGUF with two matrices for each module", async () => {
    const path = await convert(adapter("plain"))
    const { metadata, tensors } = readGgufHeader(path)
    expect(Object.fromEntries(metadata)).toMatchObject({
      "general.architecture": "llama",
      "general.type": "adapter",
      "adapter.type": "lora",
      "adapter.lora.alpha": 16,
    })
    expect(tensors.map(({ name, shape }) => `${name} ${shape.join("×")}`)).toEqual([
      "blk.0.ffn_down.weight.lora_a 16×2",
      "blk.0.ffn_down.weight.lora_b 2×8",
      "blk.0.attn_q.weight.lora_a 8×2",
      "blk.0.attn_q.weight.lora_b 2×8",
    ])
    // Rows of two heads of four: the halves of each become pairs.
    expect(await numbersOf(path, "blk.0.attn_q.weight.lora_b")).toEqual(
      [0, 2, 1, 3, 4, 6, 5, 7].flatMap((row) => [row * 2, row * 2 + 1]),
    )
    expect(await numbersOf(path, "blk.0.ffn_down.weight.lora_b")).toEqual([...Array(16).keys()])
  })

  test("with a stabilized rank is scaled by its root", async () => {
    const { metadata } = readGgufHeader(await convert(adapter("stabilized", { use_rslora: true })))
    expect(metadata.get("adapter.lora.alpha")).toBeCloseTo(16 * Math.sqrt(2), 5)
  })

  test("is refused where a GGUF cannot hold it", async () => {
    const fault = async (...args: Parameters<typeof adapter>) =>
      (await failure(convert(adapter(...args)))).message
    expect(await fault("modules", { modules_to_save: ["lm_head"] })).toContain("modules_to_save: lm_head")
    expect(await fault("dora", { use_dora: true })).toContain("a DoRA adapter")
    expect(await fault("other", { peft_type: "IA3" })).toContain("of the type 'IA3'")
    expect(await fault("half", {}, TENSORS.slice(1))).toContain("has no two matrices that belong together")
    expect(await fault("unknown", {}, [matrix("elm.lora_A", 2, 8), matrix("elm.lora_B", 8, 2)])).toContain(
      "the module 'elm' is not known to 'llama'",
    )
  })
})
