import { join } from "node:path"
import type { TinyVocabulary } from "../files/tiny-vocabulary"
import { type TinyProjectorType, writeTinyProjector } from "./tiny-projectors"
import { CHATML_OF_PARTS, type TinyTextOptions, writeTinyText } from "./tiny-text"

/**
 * `gemma3`: a picture is one unit of 16 cells, computed as a whole without a causal mask. `qwen2vl`: positions of
 * several dimensions; cells by the picture's size. `qwen3vl`: besides, embeddings twice as wide as the model.
 * `idefics3`: many units of 4 cells with text between them. `ultravox`: hears; a unit of 375 cells for each half minute.
 */
export type VisionFamily = "gemma3" | "qwen2vl" | "qwen3vl" | "idefics3" | "ultravox"

export interface TinyVisionModel {
  readonly model: string
  readonly projector: string
  readonly vocabulary: TinyVocabulary
}

interface Family {
  readonly text: Omit<TinyTextOptions, "dim">
  readonly projector: TinyProjectorType
}

const FAMILIES: Readonly<Record<VisionFamily, Family>> = {
  gemma3: {
    text: { architecture: "gemma3", controls: ["<start_of_image>", "<end_of_image>"] },
    projector: "gemma3",
  },
  qwen2vl: {
    text: {
      architecture: "qwen2vl",
      controls: ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>"],
      chatTemplate: CHATML_OF_PARTS,
    },
    projector: "qwen2vl_merger",
  },
  qwen3vl: {
    text: {
      architecture: "qwen3vl",
      layers: 3,
      controls: ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>"],
      chatTemplate: CHATML_OF_PARTS,
    },
    projector: "qwen3vl_merger",
  },
  idefics3: {
    text: { architecture: "llama", controls: ["<fake_token_around_image>", "<global-img>"] },
    projector: "idefics3",
  },
  ultravox: { text: { architecture: "gemma3", seed: 5 }, projector: "ultravox" },
}

export interface TinyVisionOptions {
  /** The files are NAME.gguf and mmproj-NAME.gguf. Default: the family. */
  readonly name?: string
  readonly dim?: number
  readonly seed?: number
  readonly contextLength?: number
}

/** Writes a text model of about 500 KB and its projector of about 1 MB, both with random weights. */
export function writeTinyVision(
  folder: string,
  family: VisionFamily,
  { name = family, dim = 64, ...more }: TinyVisionOptions = {},
): TinyVisionModel {
  const model = join(folder, `${name}.gguf`)
  const projector = join(folder, `mmproj-${name}.gguf`)
  const { text, projector: type } = FAMILIES[family]
  const vocabulary = writeTinyText(model, { ...text, dim, ...more })
  writeTinyProjector(projector, type, { projection: dim, seed: (more.seed ?? 1) + 1 })
  return { model, projector, vocabulary }
}
