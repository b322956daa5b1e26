import { basename } from "node:path"
import { InvalidModelFile, reasonOf } from "../errors"
import { describeGguf, type GgufDescription, TOKENS_KEY } from "../formats/gguf/metadata"
import { type GgufKind, peekGgufKind, readGgufHeader } from "../formats/gguf/read"
import { idOf, readSamples, stateOf } from "./file-version"
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

/** A file that is there and cannot be read, in words that follow its name. */
export interface Unreadable {
  readonly unreadable: string
}

function unreadable(error: unknown): Unreadable {
  return { unreadable: `it cannot be read: ${reasonOf(error)}` }
}

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

  /** What is known of a model, or why its first file cannot be read. */
  async inspect({ path, paths }: FoundModel): Promise<ModelFile | Unreadable> {
    const { stamp, sizeBytes, modifiedMs } = await stateOf(paths)
    const common = { paths, sizeBytes, modifiedAt: new Date(modifiedMs) }
    const known = this.#files.get(path, stamp)
    if (known !== undefined) return { ...common, ...known }
    const samples = await readSamples(path).catch((error: unknown) => unreadable(error))
    if ("unreadable" in samples) return samples
    const kind = peekGgufKind(samples[0] ?? new Uint8Array())
    const record = { id: idOf([`${sizeBytes}\n`, ...samples]), kind }
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
