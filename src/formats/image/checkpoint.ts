import { open } from "node:fs/promises"
import { readGgufHeader } from "../gguf/read"
import type { ModelFolderFile } from "../model-folder"
import { looksLikeSafetensors, readSafetensorsHeader } from "../safetensors"

/** A tensor as all formats have it. */
export interface Tensor {
  /** The dimension that is contiguous in memory last, as PyTorch has it. */
  readonly shape: readonly number[]
  /** In capitals, such as `F16` or `Q4_0`. */
  readonly type: string
  readonly elements: number
}

/** A file of tensors, without their data. */
export interface Checkpoint {
  readonly file: ModelFolderFile
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly license: string | undefined
}

/** What converters call the diffusion models in GGUF files that are known here; stable-diffusion.cpp's writes nothing. */
const DIFFUSION_ARCHITECTURES: ReadonlySet<string> = new Set([
  "sd1",
  "sd2",
  "sdxl",
  "sd3",
  "flux",
  "lumina2",
  "qwen_image",
  "pig",
])

/** May a GGUF file of that architecture be a painter? Its tensors tell whether it is. */
export function mayBeDiffusion(architecture: string | undefined): boolean {
  return architecture === undefined || DIFFUSION_ARCHITECTURES.has(architecture)
}

const GGUF_MAGIC = "GGUF"
/** Enough to tell the formats apart. */
const HEAD_BYTES = 9
/** Where writers of safetensors name the licence: the model spec of Stability AI, and plainly. */
const LICENSE_KEYS = ["modelspec.license", "license"]

/**
 * The tensors of a file of either format; `undefined` where it is of neither.
 * @throws InvalidModelFile where it is damaged; the system's error where it cannot be read
 */
export async function readCheckpoint(file: ModelFolderFile): Promise<Checkpoint | undefined> {
  const head = await readHead(file.path)
  if (head.subarray(0, GGUF_MAGIC.length).toString("latin1") === GGUF_MAGIC) return readGguf(file)
  if (!looksLikeSafetensors(head)) return undefined
  const { metadata, tensors } = await readSafetensorsHeader(file.path)
  return {
    file,
    tensors: new Map(
      tensors.map(({ name, shape, dtype, elements }) => [name, { shape, type: dtype, elements }]),
    ),
    license: LICENSE_KEYS.map((key) => metadata.get(key)).find((value) => value !== undefined),
  }
}

function readGguf(file: ModelFolderFile): Checkpoint {
  const { metadata, tensors } = readGgufHeader(file.path)
  const license = metadata.get("general.license")
  return {
    file,
    tensors: new Map(
      tensors.map(({ name, shape, type, elements }) => [
        name,
        { shape: shape.toReversed(), type: type.name, elements },
      ]),
    ),
    license: typeof license === "string" ? license : undefined,
  }
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
