import { mulberry } from "../files/mulberry"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { type GgufTensor, writeGguf } from "../files/gguf-writer"
import { writeTinyModel } from "../files/tiny-model"

/** A model whose columns fit all types, and those of one of its tensors only some. */
export function writeWideModel(path: string): void {
  writeTinyModel(path, { seed: 21, dim: 256, heads: 4, kvHeads: 2, ffn: 288, vocab: 300, weights: "f32" })
}

/** An importance matrix for it, with random values. */
export function writeImportance(path: string, model: string): void {
  const random = mulberry(22)
  const tensors: GgufTensor[] = []
  for (const { name, shape } of readGgufHeader(model).tensors) {
    if (shape.length < 2) continue
    const values = Float32Array.from({ length: shape[0] ?? 0 }, () => random() * 3 + 0.1)
    tensors.push({ name: `${name}.in_sum2`, shape: [shape[0] ?? 0, 1], type: "f32", values })
    tensors.push({ name: `${name}.counts`, shape: [1, 1], type: "f32", values: Float32Array.of(2) })
  }
  writeGguf(
    path,
    [
      ["general.type", "string", "imatrix"],
      ["imatrix.datasets", "strings", ["random.txt"]],
      ["imatrix.chunk_count", "u32", 4],
      ["imatrix.chunk_size", "u32", 512],
    ],
    tensors,
  )
}
