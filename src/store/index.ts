import { realpath, stat } from "node:fs/promises"
import { basename, dirname, resolve } from "node:path"
import type { ModelDetails, ModelSummary } from "../domain"
import { InvalidModelFile, InvalidRequest, ModelLoadFailed, ModelNotFound } from "../errors"
import { nearest } from "../lib/nearest"
import type { Store } from "./contract"
import { isModel, type ModelFile, ModelFiles } from "./model-file"
import { type FoundModel, modelOfFile, scanModelsFolder } from "./scan"

export interface StoreOptions {
  /** Every `*.gguf` in it and below is a model. It need not exist. */
  readonly modelsFolder: string
}

/** A model and where it is. */
interface KnownModel {
  readonly found: FoundModel
  readonly summary: ModelSummary
}

/**
 * The models of one folder, and the files that were added by path. The folder is looked at anew for every question:
 * a file dropped into it is there at once. Names are compared with what was found and never turned into paths.
 */
export function createStore(options: StoreOptions): Store {
  return new FolderStore(options.modelsFolder)
}

class FolderStore implements Store {
  readonly #modelsFolder: string
  readonly #files = new ModelFiles()
  /** By name; they come before files of the same name in the folder. */
  readonly #added = new Map<string, FoundModel>()

  constructor(modelsFolder: string) {
    this.#modelsFolder = modelsFolder
  }

  async list(): Promise<readonly ModelSummary[]> {
    return (await this.#known()).map((model) => model.summary)
  }

  async resolve(name: string | undefined): Promise<ModelSummary> {
    return (await this.#find(name)).summary
  }

  async describe(name: string): Promise<ModelDetails> {
    const { found, summary } = await this.#find(name)
    try {
      return { ...summary, ...(await this.#files.describe(found)) }
    } catch (error) {
      const reason = error instanceof InvalidModelFile ? error.reason : String(error)
      throw new ModelLoadFailed(name, reason, error)
    }
  }

  async add(path: string): Promise<ModelSummary> {
    const found = await this.#locate(path)
    const listed = await this.#withPath(found.path)
    if (listed !== undefined) return listed.summary
    const file = await this.#files.inspect(found)
    if (file === undefined) throw new InvalidModelFile(path, "the file cannot be read")
    if (file.kind === undefined) throw new InvalidModelFile(path, "it is not a GGUF file")
    if (!isModel(file)) throw new InvalidModelFile(path, "it is a part for another model, not a model itself")
    const named = { ...found, name: this.#freeName(found) }
    this.#added.set(named.name, named)
    return summaryOf(named, file)
  }

  async #locate(path: string): Promise<FoundModel> {
    const absolute = resolve(path)
    const found = modelOfFile(absolute)
    const stats = await stat(found.path).catch(() => undefined)
    if (stats === undefined) throw new ModelNotFound(path, ": there is no such file")
    if (!stats.isFile()) throw new InvalidModelFile(path, "it is not a file")
    return found
  }

  /** Two added files of one name are told apart by the folder they are in. */
  #freeName(found: FoundModel): string {
    const withFolder = `${basename(dirname(found.path))}/${found.name}`
    const free = [found.name, withFolder].find((name) => !this.#added.has(name))
    if (free !== undefined) return free
    throw new InvalidRequest(`there is a model called '${withFolder}' already; rename ${found.path}`, "model")
  }

  async #withPath(path: string): Promise<KnownModel | undefined> {
    const real = await realpath(path)
    for (const model of await this.#known()) {
      if ((await realpath(model.found.path).catch(() => undefined)) === real) return model
    }
    return undefined
  }

  async #find(name: string | undefined): Promise<KnownModel> {
    const known = await this.#known()
    if (name === undefined) return onlyOne(known)
    const model = known.find(({ summary }) => summary.name === name)
    if (model !== undefined) return model
    const similar = nearest(
      name.replace(/\.gguf$/, ""),
      known.map(({ summary }) => summary.name),
    )
    throw new ModelNotFound(name, similar === undefined ? "" : `; did you mean '${similar}'?`)
  }

  /** Newest first. */
  async #known(): Promise<KnownModel[]> {
    const inFolder = await scanModelsFolder(this.#modelsFolder)
    const all = [...this.#added.values(), ...inFolder.filter(({ name }) => !this.#added.has(name))]
    const known: KnownModel[] = []
    for (const found of all) {
      const file = await this.#files.inspect(found)
      if (file !== undefined && isModel(file)) known.push({ found, summary: summaryOf(found, file) })
    }
    return known.sort(newestFirst)
  }
}

function onlyOne(known: readonly KnownModel[]): KnownModel {
  const [first, ...others] = known
  if (first === undefined)
    throw new InvalidRequest("model is missing, and there is no model to choose", "model")
  if (others.length === 0) return first
  throw new InvalidRequest(`model is missing, and there are ${known.length} to choose from`, "model")
}

function newestFirst(a: KnownModel, b: KnownModel): number {
  const byTime = b.summary.modifiedAt.getTime() - a.summary.modifiedAt.getTime()
  return byTime !== 0 ? byTime : a.summary.name.localeCompare(b.summary.name)
}

function summaryOf(found: FoundModel, file: ModelFile): ModelSummary {
  const { id, sizeBytes, modifiedAt } = file
  return { name: found.name, kind: "text", path: found.path, id, sizeBytes, modifiedAt }
}
