import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { mulberry } from "../files/mulberry"
import { type DenseTensor, writeDenseSafetensors } from "./dense-safetensors"

export interface PeftOptions {
  readonly seed?: number
  /** The model's embedding length. */
  readonly dim?: number
}

const RANK = 8

/** Writes an adapter with random weights for models of `writeTinyModel`, as PEFT does. */
export function writePeftFolder(folder: string, { seed = 1, dim = 64 }: PeftOptions = {}): string {
  const random = mulberry(seed)
  const matrix = (name: string, ...shape: readonly [number, number]): DenseTensor => ({
    name: `base_model.model.model.layers.0.self_attn.${name}.weight`,
    shape,
    values: Float32Array.from({ length: shape[0] * shape[1] }, () => random() - 0.5),
    dtype: "F32",
  })
  mkdirSync(folder, { recursive: true })
  const config = { peft_type: "LORA", r: RANK, lora_alpha: 64, target_modules: ["q_proj", "o_proj"] }
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config))
  writeDenseSafetensors(join(folder, "adapter_model.safetensors"), [
    matrix("o_proj.lora_A", RANK, dim),
    matrix("o_proj.lora_B", dim, RANK),
    matrix("q_proj.lora_A", RANK, dim),
    matrix("q_proj.lora_B", dim, RANK),
  ])
  return folder
}
