import { readdir, realpath, stat } from "node:fs/promises"
import { basename, dirname, join, sep } from "node:path"
import { CannotConvert } from "../../errors/convert"
import { InvalidModelFile } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import { toRecord, type JsonRecord } from "../../lib/json"
import { findExcess, type JsonShape } from "../../lib/json-shape"
import { readBounded } from "../../lib/system/read-bounded"
import { CONVERT, JSON_SHAPE } from "../../limits"

/** Weights that are Python objects: reading them can run any code. */
const PICKLES = /\.(bin|pt|pth|ckpt|pkl)$/i

/** A model's folder as Hugging Face publishes them. All reads are bounded, and stay within the folder. */
export class HfFolder {
  /** For messages. */
  readonly path: string
  /** Names of the entries, sorted. */
  readonly names: readonly string[]
  readonly #root: string

  private constructor(path: string, root: string, names: readonly string[]) {
    this.path = path
    this.#root = root
    this.names = names
  }

  /** `shownAs`: what messages call it. @throws FileFailed if it cannot be read */
  static async open(path: string, shownAs = path): Promise<HfFolder> {
    try {
      const root = await realpath(path)
      const names = (await readdir(root)).sort()
      if (names.length > CONVERT.folderFiles)
        throw new CannotConvert(
          shownAs,
          `the folder has ${names.length} files, more than ${CONVERT.folderFiles}`,
        )
      return new HfFolder(shownAs, root, names)
    } catch (error) {
      if (error instanceof CannotConvert) throw error
      throw new FileFailed("read", path, error)
    }
  }

  has(name: string): boolean {
    return this.names.includes(name)
  }

  /** The name that a model made from it gets by default. */
  get name(): string {
    const parent = basename(dirname(this.#root))
    const repository = /^models--[^-].*?--(.+)$/.exec(basename(dirname(dirname(this.#root))))?.[1]
    // The hub's cache names folders after revisions.
    return parent === "snapshots" && repository !== undefined ? repository : basename(this.#root)
  }

  /** Names of files with weights that are not read for safety. */
  get pickles(): readonly string[] {
    return this.names.filter((name) => PICKLES.test(name) && !/training_args|optimizer|scheduler/.test(name))
  }

  /**
   * The real path of a file in the folder. @throws InvalidModelFile if it is missing, not a file, or a link that leads
   * out of the folder
   */
  async pathOf(name: string): Promise<string> {
    const given = join(this.#root, name)
    // Names come from files too, such as the index.
    if (!given.startsWith(this.#root + sep))
      throw new InvalidModelFile(this.path, `'${name}' is outside of the folder`)
    let real: string
    try {
      real = await realpath(given)
    } catch {
      throw new InvalidModelFile(this.path, `the file '${name}' is missing`)
    }
    if (!real.startsWith(this.#root + sep) && !this.#isOwnBlob(real))
      throw new InvalidModelFile(this.path, `'${name}' is a link that leads out of the folder`)
    if (!(await stat(real)).isFile()) throw new InvalidModelFile(this.path, `'${name}' is not a file`)
    return real
  }

  /** Names of the entries of a folder in it, sorted; none where there is no such folder. */
  async namesIn(name: string): Promise<readonly string[]> {
    if (!this.has(name)) return []
    const names = await readdir(join(this.#root, name)).catch((): string[] => [])
    if (names.length > CONVERT.folderFiles)
      throw new InvalidModelFile(join(this.path, name), `the folder has ${names.length} files`)
    return names.sort()
  }

  /** The content of a file; `undefined` if there is none. @throws InvalidModelFile if it is too large */
  async bytes(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    if (!this.has(name) && !name.includes("/")) return undefined
    const path = await this.pathOf(name)
    const bytes = await readBounded(path, maxBytes)
    if (bytes === undefined)
      throw new InvalidModelFile(join(this.path, name), `the file is larger than ${maxBytes} bytes`)
    return bytes
  }

  async text(name: string, maxBytes: number = CONVERT.textBytes): Promise<string | undefined> {
    const bytes = await this.bytes(name, maxBytes)
    // A byte order mark at the start of a file means nothing; anywhere else the decoder keeps it.
    return bytes && decodeUtf8(bytes).replace(/^\ufeff/, "")
  }

  /** The object in a JSON file; `undefined` if there is none. @throws InvalidModelFile for anything else */
  async json(
    name: string,
    maxBytes: number = CONVERT.textBytes,
    shape: JsonShape = JSON_SHAPE,
  ): Promise<JsonRecord | undefined> {
    const value = await this.anyJson(name, maxBytes, shape)
    if (value === undefined) return undefined
    const record = toRecord(value)
    if (record === undefined) throw new InvalidModelFile(join(this.path, name), "it is not a JSON object")
    return record
  }

  async anyJson(
    name: string,
    maxBytes: number = CONVERT.textBytes,
    shape: JsonShape = JSON_SHAPE,
  ): Promise<unknown> {
    const bytes = await this.bytes(name, maxBytes)
    if (bytes === undefined) return undefined
    const path = join(this.path, name)
    const excess = await findExcess(bytes, shape)
    if (excess !== undefined)
      throw new InvalidModelFile(path, `the file has more than ${shape[excess]} ${excess}`)
    try {
      return JSON.parse(decodeUtf8(bytes).replace(/^\ufeff/, ""))
    } catch (error) {
      throw new InvalidModelFile(path, `it is not valid JSON: ${error instanceof Error ? error.message : ""}`)
    }
  }

  /** In the hub's cache, the files of a snapshot are links to blobs beside it. */
  #isOwnBlob(real: string): boolean {
    const snapshots = dirname(this.#root)
    return basename(snapshots) === "snapshots" && dirname(real) === join(dirname(snapshots), "blobs")
  }
}

/** Keeps U+FEFF, with which tokens can begin. */
export function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
}
