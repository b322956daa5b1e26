/**
 * Writes a random LoRA adapter for every matrix of a model's layers: its numbers are nonsense, its cost is that of a real
 * one.
 *
 *   bun bench/make-adapter.ts MODEL.gguf OUT.gguf [RANK]
 */
import { readAdapterBase } from "../src/formats/gguf/adapter"
import { writeGguf } from "../tests/support/files/gguf-writer"
import { mulberry } from "../tests/support/files/mulberry"

const MATRIX = /^blk\.\d+\.(attn_(q|k|v|output)|ffn_(up|down|gate))\.weight$/
const STRENGTH = 0.02

const [model, out, rankText = "8"] = process.argv.slice(2)
const rank = Number(rankText)
if (model === undefined || out === undefined || !Number.isInteger(rank) || rank < 1) {
  console.error("usage: bun bench/make-adapter.ts MODEL.gguf OUT.gguf [RANK]")
  process.exit(2)
}
const { architecture, shapes } = readAdapterBase([model])
const random = mulberry(1)
const filled = (name: string, shape: readonly [number, number]) => ({
  name,
  shape,
  type: "f32" as const,
  values: Float32Array.from({ length: shape[0] * shape[1] }, () => (2 * random() - 1) * STRENGTH),
})
const tensors = [...shapes].flatMap(([name, [input = 0, output = 0]]) =>
  MATRIX.test(name)
    ? [filled(`${name}.lora_a`, [input, rank]), filled(`${name}.lora_b`, [rank, output])]
    : [],
)
writeGguf(
  out,
  [
    ["general.architecture", "string", architecture ?? ""],
    ["general.type", "string", "adapter"],
    ["adapter.type", "string", "lora"],
    ["adapter.lora.alpha", "f32", rank],
  ],
  tensors,
)
console.log(`${out}: rank ${rank}, ${tensors.length / 2} matrices of ${architecture}`)
