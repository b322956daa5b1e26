import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { CannotConvert } from "../../errors/convert"
import { InvalidModelFile } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import { type SafetensorsSource, writeSafetensorsFile } from "../../formats/safetensors-write"
import { halvedHeads } from "../architectures/common"
import { findArchitecture } from "../architectures/index"
import { hfNames } from "../architectures/names"
import { checkOutput } from "../output"
import { type FloatType, toFloat32, weightBytes } from "../tensors/floats"
import { elementsOf, mapped, type TensorValues } from "../tensors/values"
import { converted } from "../tensors/weights"
import { type GgufSource, shortFloat } from "./gguf-source"
import { className, hfConfig, withoutUndefined } from "./hf-config"
import { hfTokenizer } from "./hf-tokenizer"

export interface ToFolderRequest {
  /** With weights of 16 or 32 bits. */
  readonly source: GgufSource
  readonly out: string
  readonly type: "F32" | "F16" | "BF16"
  readonly shardBytes: number
  readonly signal?: AbortSignal
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
}

export interface FolderResult {
  readonly files: readonly string[]
  readonly warnings: readonly string[]
}

const TORCH_TYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const
/** Computed from the configuration by transformers. */
const COMPUTED: ReadonlySet<string> = new Set([
  "rope_freqs.weight",
  "rope_factors_long.weight",
  "rope_factors_short.weight",
])

/**
 * Writes a folder that transformers loads. It gets its name when it is complete.
 * @throws CannotConvert, InvalidModelFile, DiskFull, FileFailed, the signal's reason
 */
export async function convertToFolder(request: ToFolderRequest): Promise<FolderResult> {
  const { source, out, type, shardBytes, signal, onProgress } = request
  if ((await stat(out).catch(() => undefined)) !== undefined)
    throw new CannotConvert(out, "it exists; name another folder with -o")
  const config = await hfConfig(source, TORCH_TYPES[type])
  const tokenizer = hfTokenizer(source)
  const tensors = namedTensorsOf(source, type)
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
  await checkOutput([out], total, false)
  const work = join(dirname(resolve(out)), `.${basename(out)}.${crypto.randomUUID().slice(0, 8)}.part`)
  const warnings = [...tokenizer.warnings]
  try {
    await mkdir(work).catch((error: unknown) => {
      throw new FileFailed("write", out, error)
    })
    let done = 0
    const onPiece = (bytes: number) => {
      signal?.throwIfAborted()
      done += bytes
      onProgress?.(done, total)
    }
    const files = await writeShards(work, tensors, shardBytes, total, onPiece)
    const texts = {
      "config.json": JSON.stringify(config, undefined, 2),
      "generation_config.json": JSON.stringify(generationConfig(source), undefined, 2),
      ...tokenizer.files,
      "README.md": readme(source, warnings),
    }
    for (const [name, content] of Object.entries(texts)) await writeFile(join(work, name), content)
    await rename(work, out)
    return { files: [...files, ...Object.keys(texts)], warnings }
  } catch (error) {
    throw asDamage(error, source)
  } finally {
    // Whatever went wrong before is what counts.
    await rm(work, { recursive: true, force: true }).catch(() => {})
  }
}

/** Views of tensors tell of shapes that cannot be with errors of their own. */
function asDamage(error: unknown, { path }: GgufSource): unknown {
  return error instanceof RangeError ? new InvalidModelFile(path, error.message) : error
}

function namedTensorsOf(source: GgufSource, type: ToFolderRequest["type"]): readonly SafetensorsSource[] {
  try {
    return hfTensors(source, type)
  } catch (error) {
    throw asDamage(error, source)
  }
}

function hfTensors(source: GgufSource, type: ToFolderRequest["type"]): readonly SafetensorsSource[] {
  const own = findArchitecture(className(source))?.names
  const names = hfNames(own)
  const { architecture } = source
  return source.tensors
    .filter(({ name }) => !COMPUTED.has(name))
    .map((tensor) => {
      const name = hfName(source, tensor.name, names)
      const values = reversed(source, tensor.name, tensor.values(), architecture)
      return {
        name,
        dtype: type,
        shape: values.shape,
        bytes: weightBytes(type, elementsOf(values.shape)),
        data: () => finite(converted(values, type), type, tensor.name),
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const OUTSIDE: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
}

function hfName(source: GgufSource, name: string, names: ReadonlyMap<string, string>): string {
  if (Object.hasOwn(OUTSIDE, name)) return OUTSIDE[name] ?? name
  const [, layer, inner = "", ending = ""] = /^blk\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? []
  // Both have one name in a GGUF; Phi's is the fused one.
  const found = inner === "ffn_up" && source.architecture === "phi3" ? "mlp.gate_up_proj" : names.get(inner)
  if (layer === undefined || found === undefined)
    throw new InvalidModelFile(source.path, `there is no name for the tensor '${name}' in transformers`)
  return `model.layers.${layer}.${found}.${ending}`
}

/** Undoes what conversion to a GGUF does. */
function reversed(
  source: GgufSource,
  name: string,
  values: TensorValues,
  architecture: string,
): TensorValues {
  if (architecture.startsWith("gemma") && name.endsWith("norm.weight"))
    return mapped(values, (value) => value - 1)
  if (!["llama", "smollm3", "granite"].includes(architecture)) return values
  const heads = source.own("attention.head_count") ?? 1
  if (/\.attn_q\.(?:weight|bias)$/.test(name)) return halvedHeads(values, heads)
  if (/\.attn_k\.(?:weight|bias)$/.test(name))
    return halvedHeads(values, source.own("attention.head_count_kv") ?? heads)
  return values
}

/** @throws InvalidModelFile for numbers beyond those of the type */
async function* finite(
  pieces: AsyncIterable<Uint8Array>,
  type: FloatType,
  name: string,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (type === "F16" && toFloat32(piece, type).some((value) => Math.abs(value) === Infinity))
      throw new RangeError(`the tensor '${name}' has numbers beyond those of F16; use --outtype bf16 or f32`)
    yield piece
  }
}

async function writeShards(
  folder: string,
  tensors: readonly SafetensorsSource[],
  shardBytes: number,
  total: number,
  onPiece: (bytes: number) => void,
): Promise<readonly string[]> {
  const shards: SafetensorsSource[][] = [[]]
  let size = 0
  for (const tensor of tensors) {
    if (size > 0 && size + tensor.bytes > shardBytes) {
      shards.push([])
      size = 0
    }
    shards.at(-1)?.push(tensor)
    size += tensor.bytes
  }
  const five = (value: number) => String(value).padStart(5, "0")
  const names = shards.map((_, index) =>
    shards.length === 1
      ? "model.safetensors"
      : `model-${five(index + 1)}-of-${five(shards.length)}.safetensors`,
  )
  for (const [index, shard] of shards.entries())
    await writeSafetensorsFile(join(folder, names[index] ?? ""), shard, onPiece)
  if (shards.length === 1) return names
  const map = shards.flatMap((shard, index) => shard.map(({ name }) => [name, names[index]] as const))
  const index = "model.safetensors.index.json"
  const content = { metadata: { total_size: total }, weight_map: Object.fromEntries(map) }
  await writeFile(join(folder, index), JSON.stringify(content, undefined, 2))
  return [...names, index]
}

function generationConfig(source: GgufSource) {
  const token = (role: string) => source.number(`tokenizer.ggml.${role}_token_id`)
  const sampling = (key: string) => shortFloat(source.number(`general.sampling.${key}`))
  return withoutUndefined({
    bos_token_id: token("bos"),
    eos_token_id: token("eos"),
    pad_token_id: token("padding"),
    temperature: sampling("temp"),
    top_k: sampling("top_k"),
    top_p: sampling("top_p"),
    min_p: sampling("min_p"),
    repetition_penalty: sampling("penalty_repeat"),
  })
}

/** Says where the folder comes from, and what a GGUF does not keep. */
function readme(source: GgufSource, warnings: readonly string[]): string {
  const license = source.text("general.license")
  const front = license === undefined ? "" : `---\nlicense: ${JSON.stringify(license)}\n---\n`
  const name = source.text("general.name") ?? basename(source.path)
  const lost = [
    "the type of the original weights, and what quantizing took from them",
    "parts for images and sounds, and heads for other tasks",
    "the tokenizer's own normalizer",
    ...warnings,
  ]
  return `${front}# ${name}\n\nMade from the GGUF file \`${basename(source.path)}\` by xLLM. Not recovered:\n\n${lost
    .map((each) => `- ${each}\n`)
    .join("")}`
}
