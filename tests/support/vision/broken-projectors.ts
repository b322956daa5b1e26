import { readFileSync, writeFileSync } from "node:fs"
import { writeTinyModel } from "../files/tiny-model"
import { type TinyProjectorOptions, type TinyProjectorType, writeTinyProjector } from "./tiny-projectors"

/** A damaged or unsuitable projector for the tiny gemma3 model, or that of another family where `type` says so. */
export interface BrokenProjector {
  readonly name: string
  write(path: string): void
  /** What is said about it before llama.cpp sees it; absent: its header is in order, and llama.cpp refuses it. */
  readonly fault?: RegExp
}

function changed(
  name: string,
  options: Omit<TinyProjectorOptions, "projection">,
  fault?: RegExp,
  type: TinyProjectorType = "gemma3",
): BrokenProjector {
  return {
    name,
    write: (path) => writeTinyProjector(path, type, { projection: 64, ...options }),
    ...(fault !== undefined && { fault }),
  }
}

function written(name: string, write: (path: string) => void, fault: RegExp): BrokenProjector {
  return { name, write, fault }
}

/** A whole projector as bytes. */
function wholeBytes(path: string): Buffer {
  writeTinyProjector(path, "gemma3", { projection: 64 })
  return readFileSync(path)
}

/** Twenty-six projectors that must not end anything but, at worst, their own worker. */
export const BROKEN_PROJECTORS: readonly BrokenProjector[] = [
  written("empty", (path) => writeFileSync(path, ""), /not a GGUF file/),
  written("text", (path) => writeFileSync(path, "a projector\n".repeat(100)), /not a GGUF file/),
  written("half", (path) => writeFileSync(path, wholeBytes(path).subarray(0, 200_000)), /cut short/),
  written("only a header", (path) => writeFileSync(path, wholeBytes(path).subarray(0, 24)), /./),
  written("a text model", (path) => void writeTinyModel(path), /not a projector/),
  changed(
    "neither eyes nor ears",
    { entries: [["clip.has_vision_encoder", "bool", false]] },
    /no encoder of pictures or sounds/,
  ),
  changed(
    "no heads",
    { entries: [["clip.vision.attention.head_count", "u32", 0]] },
    /attention.head_count is 0; it must be 1 to/,
  ),
  changed(
    "three heads",
    { entries: [["clip.vision.attention.head_count", "u32", 3]] },
    /64, cannot be shared by 3 heads/,
  ),
  changed("no width", { entries: [["clip.vision.embedding_length", "u32", 0]] }, /embedding_length is 0/),
  changed(
    "another width than its tensors",
    { entries: [["clip.vision.embedding_length", "u32", 128]] },
    /its encoder is 128 wide/,
  ),
  changed("no pixels", { entries: [["clip.vision.image_size", "u32", 0]] }, /image_size is 0/),
  changed("no patches", { entries: [["clip.vision.patch_size", "u32", 0]] }, /patch_size is 0/),
  changed(
    "patches larger than pictures",
    { entries: [["clip.vision.patch_size", "u32", 448]] },
    /pictures of 224 pixels are smaller than its patches of 448/,
  ),
  changed(
    "more patches than positions",
    { entries: [["clip.vision.image_size", "u32", 448]] },
    /256 positions for 32 × 32 patches/,
  ),
  changed(
    "huge pictures",
    { entries: [["clip.vision.image_size", "u32", 4_000_000_000]] },
    /image_size is 4000000000/,
  ),
  changed(
    "patches that cannot be joined",
    { entries: [["clip.vision.projector.scale_factor", "u32", 3]] },
    /4 × 4 patches cannot be joined by 3 × 3/,
    "idefics3",
  ),
  changed(
    "a scale factor of nothing",
    { entries: [["clip.vision.projector.scale_factor", "u32", 0]] },
    /scale_factor is 0/,
    "idefics3",
  ),
  changed(
    "a merge of nothing",
    { entries: [["clip.vision.spatial_merge_size", "u32", 0]] },
    /spatial_merge_size is 0/,
    "qwen3vl_merger",
  ),
  changed(
    "a number written as text",
    { entries: [["clip.vision.block_count", "string", "2"]] },
    /block_count is written as string, not as u32/,
  ),
  changed(
    "a number written as a list",
    { entries: [["clip.vision.block_count", "i32s", [2]]] },
    /block_count is written as array, not as u32/,
  ),
  changed(
    "layers without end",
    { entries: [["clip.vision.block_count", "u32", 2 ** 31]] },
    /block_count is 2147483648/,
  ),
  changed(
    "frames that cannot be stacked",
    { entries: [["clip.audio.projector.stack_factor", "u32", 8]] },
    /joins 8 frames at a time/,
    "ultravox",
  ),
  changed(
    "no mel bins",
    { entries: [["clip.audio.num_mel_bins", "u32", 0]] },
    /num_mel_bins is 0/,
    "ultravox",
  ),
  changed("an unknown kind", { entries: [["clip.projector_type", "string", "crystal ball"]] }),
  changed("more layers than tensors", { entries: [["clip.vision.block_count", "u32", 99]] }),
  changed("without a tensor", { without: ["mm.input_projection.weight"] }),
]
