import { readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import { reasonOf } from "../../errors/base"
import { InvalidModelFile } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import {
  type AdapterBase,
  type AdapterFacts,
  describeAdapter,
  readAdapterBase,
} from "../../formats/gguf/adapter"
import { readGgufHeader } from "../../formats/gguf/read"
import { partPaths } from "../../formats/gguf/split"
import { systemCode } from "../../lib/system/system-reason"
import { ADAPTERS } from "../../limits"
import { stateOf } from "../local/file-version"
import { digestOfFile } from "../managed/blobs"
import type { CacheTable, MetadataCache } from "../metadata-cache"

/** A file that should be an adapter. */
export interface AdapterFile {
  /** Its file name without `.gguf`. */
  readonly name: string
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
  /** Undefined: it cannot be used, see `fault`. */
  readonly facts?: AdapterFacts
  readonly fault?: string
}

const EXTENSION = /\.gguf$/i

/** How many models' shapes are remembered: each takes some hundred kilobytes. */
const REMEMBERED_BASES = 16

type FactsRecord = Pick<AdapterFile, "facts" | "fault">

/** Reads adapters, and what of models they must fit; each version of a file once. */
export class AdapterFiles {
  readonly #facts: CacheTable<FactsRecord>
  readonly #digests: CacheTable<string>
  readonly #bases = new Map<string, AdapterBase>()

  constructor(cache: MetadataCache) {
    this.#facts = cache.table("adapters")
    this.#digests = cache.table("adapter-digests")
  }

  /** The adapters directly in a folder, by name; it need not exist. @throws FileFailed */
  async inFolder(folder: string): Promise<readonly AdapterFile[]> {
    const names = await readdir(folder).catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return []
      throw new FileFailed("read", folder, error)
    })
    const files = names
      .filter((name) => EXTENSION.test(name) && !name.startsWith("."))
      .sort()
      .slice(0, ADAPTERS.files.maxItems)
    const found: AdapterFile[] = []
    for (const name of files) found.push(await this.inspect(join(folder, name)))
    return found
  }

  /** A missing file is one with a fault. */
  async inspect(path: string): Promise<AdapterFile> {
    const { stamp, sizeBytes, modifiedMs } = await stateOf([path])
    const known = this.#facts.get(path, stamp)
    const record = known ?? readFacts(path)
    if (known === undefined && sizeBytes > 0) this.#facts.set(path, stamp, record)
    return { name: adapterNameOf(path), path, sizeBytes, modifiedAt: new Date(modifiedMs), ...record }
  }

  /** The SHA-256 of its content. @throws FileFailed */
  async digestOf(path: string): Promise<string> {
    const { stamp } = await stateOf([path])
    const known = this.#digests.get(path, stamp)
    if (known !== undefined) return known
    const digest = await digestOfFile(path).catch((error: unknown) => {
      throw new FileFailed("read", path, error)
    })
    this.#digests.set(path, stamp, digest)
    return digest
  }

  /** @throws InvalidModelFile; the system's error where a file of the model cannot be opened */
  async baseOf(path: string): Promise<AdapterBase> {
    const paths = partPaths(path)
    const key = `${path}\n${(await stateOf(paths)).stamp}`
    const known = this.#bases.get(key)
    if (known !== undefined) return known
    const base = readAdapterBase(paths)
    this.#bases.set(key, base)
    for (const oldest of this.#bases.keys()) {
      if (this.#bases.size <= REMEMBERED_BASES) break
      this.#bases.delete(oldest)
    }
    return base
  }
}

/** Its file name without `.gguf`. */
export function adapterNameOf(path: string): string {
  return basename(path).replace(EXTENSION, "")
}

function readFacts(path: string): FactsRecord {
  try {
    return { facts: describeAdapter(path, readGgufHeader(path)) }
  } catch (error) {
    return { fault: error instanceof InvalidModelFile ? error.reason : reasonOf(error) }
  }
}
