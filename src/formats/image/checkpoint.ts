import { open } from "node:fs/promises"
import { readGgufHeader } from "../gguf/read"
import type { ModelFolderFile } from "../model-folder"
import { looksLikeSafetensors, readSafetensorsHeader } from "../safetensors"

/** A tensor in any format. */
export interface Tensor {
  /** The contiguous dimension last, as in PyTorch. */
  readonly shape: readonly number[]
  /** In capitals, such as `F16` or `Q4_0`. */
  readonly type: string
  readonly elements: number
}

/** The tensors of a file, without their data. */
export interface Checkpoint {
  readonly file: ModelFolderFile
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly license: string | undefined
}

/**
 * `general.architecture` of supported diffusion models in GGUF files; stable-diffusion.cpp's converter writes
 * none.
 */
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

/** Could a GGUF file of that architecture be an image model? Its tensors decide. */
export function mayBeDiffusion(architecture: string | undefined): boolean {
  return architecture === undefined || DIFFUSION_ARCHITECTURES.has(architecture)
}

const GGUF_MAGIC = "GGUF"
/** Enough to detect the format. */
const HEAD_BYTES = 9
/**
 * Metadata keys of the licence in safetensors files: that of Stability AI's model spec, and the plain one.
 */
const LICENSE_KEYS = ["modelspec.license", "license"]

/**
 * The tensors of a file in either format; `undefined` for other files.
 * @throws InvalidModelFile if it is damaged; the system's error if it cannot be read
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
