import { realpath, rm, stat } from "node:fs/promises"
import { basename, dirname, resolve, sep } from "node:path"
import type { ModelSummary } from "../domain"
import { InvalidModelFile, InvalidRequest, ModelNotFound } from "../errors"
import { mapSome } from "../lib/map-some"
import { FolderListings } from "./folder-listings"
import { isModel, type ModelFile, type ModelFiles } from "./model-file"
import { type FoundModel, modelOfFile, scanModelsFolder } from "./scan"

/** A model that is used where somebody has put it. */
export interface DroppedModel {
  readonly found: FoundModel
  readonly summary: ModelSummary
}

/** The files that somebody put into the models folder, and those that were named by their path. */
export class DroppedModels {
  readonly #modelsFolder: string
  readonly #files: ModelFiles
  readonly #listings = new FolderListings()
  /** By name; they come before files of the same name in the folder. */
  readonly #added = new Map<string, FoundModel>()

  constructor(modelsFolder: string, files: ModelFiles) {
    this.#modelsFolder = modelsFolder
    this.#files = files
  }

  /** All of them, in no order. */
  async list(): Promise<readonly DroppedModel[]> {
    const models = await mapSome(await this.#found(), (found) => this.#inspect(found))
    return models.filter((model) => model !== undefined)
  }

  /** The model of that name, or else that of the name in another case. No other file is read for it. */
  async find(name: string, options: { readonly ignoreCase: boolean }): Promise<DroppedModel | undefined> {
    const lower = name.toLowerCase()
    const isIt = options.ignoreCase
      ? (found: FoundModel) => found.name.toLowerCase() === lower
      : (found: FoundModel) => found.name === name
    for (const found of (await this.#found()).filter(isIt)) {
      const model = await this.#inspect(found)
      if (model !== undefined) return model
    }
    return undefined
  }

  async #found(): Promise<readonly FoundModel[]> {
    const inFolder = await scanModelsFolder(this.#modelsFolder, this.#listings)
    return [...this.#added.values(), ...inFolder.filter(({ name }) => !this.#added.has(name))]
  }

  async #inspect(found: FoundModel): Promise<DroppedModel | undefined> {
    const file = await this.#files.inspect(found)
    if (file === undefined || !isModel(file)) return undefined
    return { found, summary: summaryOf(found, file) }
  }

  /** @throws ModelNotFound, InvalidModelFile, InvalidRequest */
  async add(path: string): Promise<ModelSummary> {
    const found = await locate(path)
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

  /**
   * Deletes what was dropped in; of a link the link alone. Returns the bytes that were freed.
   * @throws InvalidRequest where the files are not in the models folder, and so are not xLLM's to delete
   */
  async delete({ found, summary }: DroppedModel): Promise<number> {
    const folder = await realpath(dirname(found.path))
    const root = await realpath(this.#modelsFolder).catch(() => undefined)
    if (root === undefined || !`${folder}${sep}`.startsWith(`${root}${sep}`)) {
      throw new InvalidRequest(
        `model '${summary.name}' is ${found.path}, outside of the models folder; delete it there`,
        "model",
      )
    }
    for (const path of found.paths) await rm(path, { force: true })
    return summary.sizeBytes
  }

  /** Two added files of one name are told apart by the folder they are in. */
  #freeName(found: FoundModel): string {
    const withFolder = `${basename(dirname(found.path))}/${found.name}`
    const free = [found.name, withFolder].find((name) => !this.#added.has(name))
    if (free !== undefined) return free
    throw new InvalidRequest(`there is a model called '${withFolder}' already; rename ${found.path}`, "model")
  }

  async #withPath(path: string): Promise<DroppedModel | undefined> {
    const real = await realpath(path)
    for (const model of await this.list()) {
      if ((await realpath(model.found.path).catch(() => undefined)) === real) return model
    }
    return undefined
  }
}

async function locate(path: string): Promise<FoundModel> {
  const absolute = resolve(path)
  const found = modelOfFile(absolute)
  const stats = await stat(found.path).catch(() => undefined)
  if (stats === undefined) throw new ModelNotFound(path, ": there is no such file")
  if (!stats.isFile()) throw new InvalidModelFile(path, "it is not a file")
  return found
}

function summaryOf(found: FoundModel, file: ModelFile): ModelSummary {
  const { id, sizeBytes, modifiedAt } = file
  return { name: found.name, kind: "text", path: found.path, id, sizeBytes, modifiedAt }
}
