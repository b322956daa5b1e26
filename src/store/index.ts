import { basename } from "node:path"
import type { ModelDetails, ModelSummary } from "../domain"
import { InvalidModelFile, InvalidModelName, InvalidRequest, ModelLoadFailed, ModelNotFound } from "../errors"
import { nearest } from "../lib/nearest"
import type { Logger } from "../log/logger"
import { BlobFolder } from "./blobs"
import type { Blobs, RemovedModel, Store } from "./contract"
import { type DroppedModel, DroppedModels } from "./dropped"
import { type InstalledModel, InstalledModels } from "./installed"
import { layoutOf } from "./layout"
import { Library } from "./library"
import type { Manifest } from "./manifest"
import { formatModelName, type ModelName, parseModelName } from "./names"
import type { ModelPlace } from "./views"

export interface StoreOptions {
  /**
   * Every `*.gguf` in it and below is a model, but for what is in the folders where installed models are kept. It need
   * not exist.
   */
  readonly modelsFolder: string
  /** Absent: nobody is told of damaged manifests. */
  readonly log?: Logger
}

/** A model and where it is. */
type KnownModel =
  | (DroppedModel & { readonly origin: "dropped" })
  | {
      readonly origin: "installed"
      readonly installed: InstalledModel
      readonly place: ModelPlace
      readonly summary: ModelSummary
    }

/**
 * The models of one folder, and the files that were added by path. The folder is looked at anew for every question:
 * what was dropped into it, installed or removed, by whatever process, counts at once. Names are compared with what
 * was found and never turned into paths.
 */
export function createStore(options: StoreOptions): Store {
  return new FolderStore(options)
}

class FolderStore implements Store {
  readonly blobs: Blobs
  readonly #dropped: DroppedModels
  readonly #installed: InstalledModels
  readonly #library: Library

  constructor({ modelsFolder, log }: StoreOptions) {
    const layout = layoutOf(modelsFolder)
    const blobs = new BlobFolder(layout)
    this.blobs = blobs
    this.#dropped = new DroppedModels(modelsFolder)
    this.#installed = new InstalledModels(layout, log)
    this.#library = new Library(layout, blobs, this.#installed)
  }

  async list(): Promise<readonly ModelSummary[]> {
    return (await this.#known()).map((model) => model.summary)
  }

  async resolve(name: string | undefined): Promise<ModelSummary> {
    const model = await this.#find(name)
    if (model.origin === "installed") await this.#library.makePlace(model.place)
    return model.summary
  }

  async describe(name: string): Promise<ModelDetails> {
    const model = await this.#find(name)
    const { summary } = model
    if (summary.kind !== "text") throw new ModelLoadFailed(name, `it is of the kind '${summary.kind}'`)
    const { path } = summary
    const found = model.origin === "dropped" ? model.found : { name, path, paths: model.place.paths }
    try {
      return { ...summary, ...(await this.#dropped.describe(found)) }
    } catch (error) {
      const reason = error instanceof InvalidModelFile ? error.reason : String(error)
      throw new ModelLoadFailed(name, reason, error)
    }
  }

  add(path: string): Promise<ModelSummary> {
    return this.#dropped.add(path)
  }

  async manifest(name: string): Promise<Manifest | undefined> {
    const model = await this.#find(name)
    return model.origin === "installed" ? model.installed.manifest : undefined
  }

  async install(name: ModelName, manifest: Manifest): Promise<ModelSummary> {
    return this.#toKnown(await this.#library.install(name, manifest)).summary
  }

  async remove(name: string): Promise<RemovedModel> {
    const model = await this.#find(name)
    const freedBytes =
      model.origin === "dropped"
        ? await this.#dropped.delete(model)
        : await this.#library.remove(model.installed.name)
    return { name: model.summary.name, freedBytes }
  }

  async copy(source: string, target: ModelName): Promise<ModelSummary> {
    const model = await this.#find(source)
    if (model.origin === "dropped") return await this.install(target, await this.#manifestOf(model))
    return this.#toKnown(await this.#library.copy(model.installed.name, target)).summary
  }

  tidy(): Promise<void> {
    return this.#library.tidy()
  }

  /** Takes a dropped-in model's files among the blobs. */
  async #manifestOf({ found, summary }: DroppedModel): Promise<Manifest> {
    const files = []
    for (const path of found.paths) {
      const blob = await this.blobs.addFile(path)
      files.push({ name: basename(path), role: "model" as const, ...blob })
    }
    return {
      version: 1,
      kind: summary.kind,
      createdAt: new Date().toISOString(),
      source: { type: "file", reference: found.path },
      files,
      parameters: {},
    }
  }

  async #find(name: string | undefined): Promise<KnownModel> {
    if (name === undefined) return onlyOne(await this.#known())
    const dropped = await this.#dropped.list()
    const exact = dropped.find(({ summary }) => summary.name === name)
    if (exact !== undefined) return { origin: "dropped", ...exact }
    const parsed = tryParse(name)
    const installed = parsed && (await this.#installed.find(parsed))
    if (installed !== undefined) return this.#toKnown(installed)
    const inOtherCase = dropped.find(({ summary }) => summary.name.toLowerCase() === name.toLowerCase())
    if (inOtherCase !== undefined) return { origin: "dropped", ...inOtherCase }
    const names = (await this.#known()).map(({ summary }) => summary.name.replace(/:latest$/, ""))
    const similar = nearest(name.replace(/\.gguf$/, ""), names)
    throw new ModelNotFound(name, similar === undefined ? "" : `; did you mean '${similar}'?`)
  }

  /** Newest first. */
  async #known(): Promise<KnownModel[]> {
    const dropped = await this.#dropped.list()
    const names = new Set(dropped.map(({ summary }) => summary.name))
    const installed = (await this.#installed.list()).map((model) => this.#toKnown(model))
    return [
      ...dropped.map((model) => ({ origin: "dropped" as const, ...model })),
      ...installed.filter(({ summary }) => !names.has(summary.name)),
    ].sort(newestFirst)
  }

  #toKnown(installed: InstalledModel): KnownModel {
    const { name, manifest, id, installedAt } = installed
    const place = this.#library.placeOf(manifest)
    const summary: ModelSummary = {
      name: formatModelName(name),
      kind: manifest.kind,
      path: place.path,
      id,
      sizeBytes: manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      modifiedAt: installedAt,
    }
    return { origin: "installed", installed, place, summary }
  }
}

function tryParse(name: string): ModelName | undefined {
  try {
    return parseModelName(name)
  } catch (error) {
    if (error instanceof InvalidModelName) return undefined
    throw error
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
