import { open, stat } from "node:fs/promises"
import { basename } from "node:path"
import { InvalidModelFile } from "../errors"
import { describeGguf, type GgufDescription, TOKENS_KEY } from "../formats/gguf/metadata"
import { type GgufKind, peekGgufKind, readGgufHeader } from "../formats/gguf/read"
import type { CacheTable, MetadataCache } from "./metadata-cache"
import type { FoundModel } from "./scan"

/** What is known of a model's files without reading their whole header. */
export interface ModelFile {
  readonly paths: readonly string[]
  /** Of all files together. */
  readonly sizeBytes: number
  readonly modifiedAt: Date
  /** The first 12 hex digits of a SHA-256 over size and samples of the content. */
  readonly id: string
  /** `undefined` where the file is no GGUF. */
  readonly kind: GgufKind | undefined
}

/** Bytes read at the start, in the middle and at the end of a file to name its version. */
const SAMPLE_BYTES = 64 * 1024
const ID_DIGITS = 12

/** What can be kept of a {@link ModelFile}. */
type FileRecord = Pick<ModelFile, "id" | "kind">

/** GGUF files, each version of which is read once. */
export class ModelFiles {
  readonly #files: CacheTable<FileRecord>
  readonly #descriptions: CacheTable<GgufDescription>

  constructor(cache: MetadataCache) {
    this.#files = cache.table("gguf-files")
    this.#descriptions = cache.table("gguf-descriptions")
  }

  /** `undefined` where the model's first file cannot be read. */
  async inspect({ path, paths }: FoundModel): Promise<ModelFile | undefined> {
    const { stamp, sizeBytes, modifiedMs } = await stateOf(paths)
    const common = { paths, sizeBytes, modifiedAt: new Date(modifiedMs) }
    const known = this.#files.get(path, stamp)
    if (known !== undefined) return { ...common, ...known }
    const samples = await readSamples(path).catch(() => undefined)
    if (samples === undefined) return undefined
    const kind = peekGgufKind(samples[0] ?? new Uint8Array())
    const record = { id: idOf(sizeBytes, samples), kind }
    this.#files.set(path, stamp, record)
    return { ...common, ...record }
  }

  /** @throws InvalidModelFile; the system's error where a file cannot be opened */
  async describe(model: FoundModel): Promise<GgufDescription> {
    const { stamp } = await stateOf(model.paths)
    const known = this.#descriptions.get(model.path, stamp)
    if (known !== undefined) return known
    const description = await readDescription(model)
    this.#descriptions.set(model.path, stamp, description)
    return description
  }
}

/** Is it something that answers by itself, not a part that goes with another model? */
export function isModel(file: Pick<ModelFile, "kind" | "paths">): boolean {
  const { architecture, type } = file.kind ?? {}
  if (type !== undefined) return type === "model"
  if (architecture !== undefined) return architecture !== "clip"
  // Projectors from before there was a key for it are told apart by their name, as llama.cpp does.
  return !basename(file.paths[0] ?? "").includes("mmproj")
}

interface FilesState {
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** Changes when any of the files does. */
  readonly stamp: string
}

async function stateOf(paths: readonly string[]): Promise<FilesState> {
  const all = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)))
  return {
    sizeBytes: all.reduce((sum, stats) => sum + (stats?.size ?? 0), 0),
    modifiedMs: all.reduce((latest, stats) => Math.max(latest, stats?.mtimeMs ?? 0), 0),
    stamp: all.map((stats) => `${stats?.ino}:${stats?.size}:${stats?.mtimeMs}`).join(),
  }
}

/** Samples and not all bytes: a file of 40 GB would take a minute to hash. */
async function readSamples(path: string): Promise<Uint8Array[]> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const starts = [0, Math.floor(size / 2), Math.max(0, size - SAMPLE_BYTES)]
    return await Promise.all(
      starts.map(async (start) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, start)
        return buffer.subarray(0, bytesRead)
      }),
    )
  } finally {
    await file.close()
  }
}

function idOf(sizeBytes: number, samples: readonly Uint8Array[]): string {
  const hash = new Bun.CryptoHasher("sha256")
  hash.update(`${sizeBytes}\n`)
  for (const sample of samples) hash.update(sample)
  return hash.digest("hex").slice(0, ID_DIGITS)
}

async function readDescription(model: FoundModel): Promise<GgufDescription> {
  const header = readGgufHeader(model.path, { keepArrays: [TOKENS_KEY] })
  const tensors = [...header.tensors]
  for (const [index, path] of model.paths.entries()) {
    if (index === 0) continue
    if (!(await Bun.file(path).exists())) {
      const which = `part ${index + 1} of ${model.paths.length}`
      throw new InvalidModelFile(model.path, `${which} (${basename(path)}) is missing`)
    }
    tensors.push(...readGgufHeader(path).tensors)
  }
  return describeGguf(header, tensors)
}
