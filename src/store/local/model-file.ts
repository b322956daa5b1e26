import { basename } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import { describeGguf, type GgufDescription, TOKENS_KEY, vectorUse } from "../../formats/gguf/metadata"
import { type GgufKind, peekGgufKind, readGgufHeader } from "../../formats/gguf/read"
import { splitProblem } from "../../formats/gguf/split"
import { breathe } from "../../lib/async/breathe"
import type { GgufHeader } from "../../formats/gguf/types"
import type { CacheTable, MetadataCache } from "../metadata-cache"
import { idOf, readSamples, stateOf } from "./file-version"
import type { FoundModel } from "./scan"

/** A model's file, described without reading the whole header. */
export interface ModelFile {
  readonly paths: readonly string[]
  /** Of all files together. */
  readonly sizeBytes: number
  readonly modifiedAt: Date
  /** The first 12 hex digits of a SHA-256 over the size and samples of the content. */
  readonly id: string
  /** `undefined` where the file is not GGUF. */
  readonly kind: GgufKind | undefined
}

/** The cacheable part of a {@link ModelFile}. */
type FileRecord = Pick<ModelFile, "id" | "kind">

/** GGUF files, of which each version is read once. */
export class ModelFiles {
  readonly #files: CacheTable<FileRecord>
  readonly #descriptions: CacheTable<GgufDescription>
  #lastRead: Promise<void> = Promise.resolve()

  constructor(cache: MetadataCache) {
    this.#files = cache.table("gguf-files")
    this.#descriptions = cache.table("gguf-descriptions")
  }

  /** @throws FileFailed where the model's first file cannot be read */
  async inspect({ path, paths }: FoundModel): Promise<ModelFile> {
    const { stamp, sizeBytes, modifiedMs } = await stateOf(paths)
    const common = { paths, sizeBytes, modifiedAt: new Date(modifiedMs) }
    const known = this.#files.get(path, stamp)
    if (known !== undefined) return { ...common, ...known }
    const samples = await readSamples(path).catch((error: unknown) => {
      throw new FileFailed("read", path, error)
    })
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
    // One after another, with turns for others in between: a header with a large vocabulary takes 20 ms.
    const description = this.#lastRead.then(breathe).then(() => readDescription(model))
    this.#lastRead = description.then(
      () => {},
      () => {},
    )
    this.#descriptions.set(model.path, stamp, await description)
    return await description
  }
}

/** Is it a model by itself, rather than a part of another one? */
export function isModel(file: Pick<ModelFile, "kind" | "paths">): boolean {
  const { architecture, type, part } = file.kind ?? {}
  if (part !== undefined) return false
  if (type !== undefined) return type === "model"
  if (architecture !== undefined) return architecture !== "clip"
  // Projectors that predate the metadata key are detected by name, as in llama.cpp.
  return !basename(file.paths[0] ?? "").includes("mmproj")
}

/** The kind of a model in GGUF files; `text` where they are not there. */
export function ggufModelKind({ kind }: Pick<ModelFile, "kind">): "text" | "embedding" {
  return vectorUse(kind ?? {}) === undefined ? "text" : "embedding"
}

async function readDescription(model: FoundModel): Promise<GgufDescription> {
  const [header, ...others] = await readWeights(model.paths)
  return describeGguf(
    header,
    [header, ...others].flatMap(({ tensors }) => tensors),
  )
}

/**
 * Reads the headers of a text model's files; the first one contains the texts of the tokens.
 * @param paths in the order given by their names
 * @throws InvalidModelFile where one is missing, damaged, or by its own metadata no part of that model
 */
export async function readWeights(
  paths: readonly string[],
): Promise<readonly [GgufHeader, ...(readonly GgufHeader[])]> {
  const [first = ""] = paths
  const header = readGgufHeader(first, { keepArrays: [TOKENS_KEY] })
  const others: GgufHeader[] = []
  for (const [index, path] of paths.entries()) {
    if (index === 0) continue
    if (!(await Bun.file(path).exists())) {
      throw new InvalidModelFile(first, `part ${index + 1} of ${paths.length} (${basename(path)}) is missing`)
    }
    others.push(readGgufHeader(path))
  }
  const problem = splitProblem(
    [header, ...others].map((each, index) => ({ name: basename(paths[index] ?? ""), header: each })),
  )
  if (problem !== undefined) throw new InvalidModelFile(first, problem)
  return [header, ...others]
}
