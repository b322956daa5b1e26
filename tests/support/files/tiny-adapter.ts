import { statSync } from "node:fs"
import { basename } from "node:path"
import type { AppliedAdapter } from "../../../src/domain/adapters"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import { type GgufTensor, writeGguf } from "./gguf-writer"
import { mulberry } from "./mulberry"

export interface TinyAdapterOptions {
  readonly seed?: number
  /** Must match the model's. */
  readonly architecture?: string
  /** The model's embedding length. */
  readonly dim?: number
  readonly layers?: number
  readonly rank?: number
  /** `general.type`. */
  readonly type?: string
}

/**
 * Writes a LoRA adapter with random weights for a model of `writeTinyModel`; it changes attention's queries and
 * output.
 */
export function writeTinyAdapter(path: string, options: TinyAdapterOptions = {}): string {
  const { seed = 1, architecture = "llama", dim = 64, layers = 2, rank = 4, type = "adapter" } = options
  const random = mulberry(seed)
  const filled = (name: string, shape: readonly [number, number]): GgufTensor => ({
    name,
    shape,
    type: "f32",
    values: Float32Array.from({ length: shape[0] * shape[1] }, () => random() - 0.5),
  })
  const tensors = Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) =>
    ["attn_q", "attn_output"].flatMap((part) => [
      filled(`blk.${layer}.${part}.weight.lora_a`, [dim, rank]),
      filled(`blk.${layer}.${part}.weight.lora_b`, [rank, dim]),
    ]),
  )
  writeGguf(
    path,
    [
      ["general.architecture", "string", architecture],
      ["general.type", "string", type],
      ["general.name", "string", "tiny adapter"],
      ["adapter.type", "string", "lora"],
      ["adapter.lora.alpha", "f32", rank],
    ],
    tensors,
  )
  return path
}

/** An adapter's file as the store hands it to a worker. */
export function adapterPart(path: string, scale = 1): AttachedPart {
  return { role: "adapter", name: basename(path), path, sizeBytes: statSync(path).size, scale }
}

/** An adapter's file as the engine hands it to a worker with a request. */
export function appliedAdapter(path: string, scale = 1): AppliedAdapter {
  return { name: basename(path, ".gguf"), path, sizeBytes: statSync(path).size, key: path, scale }
}
