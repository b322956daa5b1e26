import { existsSync } from "node:fs"
import { basename } from "node:path"
import type { ModelDetails, ModelSummary } from "../domain"
import { InvalidModelFile, InvalidModelName, InvalidRequest, ModelLoadFailed, ModelNotFound } from "../errors"
import { nearest } from "../lib/nearest"
import type { Logger } from "../log/logger"
import { BlobFolder } from "./blobs"
import type { Blobs, RemovedModel, Store } from "./contract"
import { defaultsOf } from "./defaults"
import { type DroppedModel, DroppedModels } from "./dropped"
import { type InstalledEntry, type InstalledModel, InstalledModels } from "./installed"
import { layoutOf, type StoreLayout } from "./layout"
import { Library } from "./library"
import type { Manifest } from "./manifest"
import { MetadataCache } from "./metadata-cache"
import { ModelFiles } from "./model-file"
import { formatModelName, type ModelName, parseModelName } from "./names"
import type { FoundModel } from "./scan"
import { ensureView, placeOf } from "./views"

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
  | { readonly origin: "installed"; readonly installed: InstalledModel; readonly summary: ModelSummary }

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
  readonly #layout: StoreLayout
  readonly #cache: MetadataCache
  readonly #files: ModelFiles
  readonly #dropped: DroppedModels
  readonly #installed: InstalledModels
  readonly #library: Library
  /** Folders of installed models that this process has seen whole. */
  readonly #wholeViews = new Set<string>()

  constructor({ modelsFolder, log }: StoreOptions) {
    const layout = layoutOf(modelsFolder)
    const cache = new MetadataCache(layout.index)
    this.#cache = cache
    const blobs = new BlobFolder(layout)
    this.blobs = blobs
    this.#layout = layout
    this.#files = new ModelFiles(cache)
    this.#dropped = new DroppedModels(modelsFolder, this.#files)
    this.#installed = new InstalledModels(layout, cache, log)
    this.#library = new Library(layout, blobs, this.#installed)
  }

  async list(): Promise<readonly ModelSummary[]> {
    const [dropped, installed] = await Promise.all([this.#dropped.list(), this.#installed.list()])
    const names = new Set(dropped.map(({ summary }) => summary.name))
    return [
      ...dropped.map(({ summary }) => summary),
      ...installed.map(toSummary).filter(({ name }) => !names.has(name)),
    ].sort(newestFirst)
  }

  async resolve(name: string | undefined): Promise<ModelSummary> {
    const model = await this.#find(name)
    if (model.origin === "dropped") return model.summary
    await this.#makeWhole(model.installed)
    const defaults = defaultsOf(model.installed.manifest, (digest) => this.blobs.pathOf(digest))
    return Object.keys(defaults).length === 0 ? model.summary : { ...model.summary, defaults }
  }

  async describe(name: string): Promise<ModelDetails> {
    const model = await this.#find(name)
    const { summary } = model
    if (summary.kind !== "text") throw new ModelLoadFailed(name, `it is of the kind '${summary.kind}'`)
    try {
      return { ...summary, ...(await this.#files.describe(await this.#partsOf(model))) }
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
    return toSummary(await this.#library.install(name, manifest))
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
    return toSummary(await this.#library.copy(model.installed.name, target))
  }

  async tidy(): Promise<void> {
    await this.#library.tidy()
    this.#cache.prune()
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
    const asked = name ?? (await this.#onlyName())
    const model =
      (await this.#findDropped(asked, false)) ??
      (await this.#findInstalled(asked)) ??
      (await this.#findDropped(asked, true))
    if (model !== undefined) return model
    const names = (await this.list()).map((summary) => summary.name.replace(/:latest$/, ""))
    const similar = nearest(asked.replace(/\.gguf$/, ""), names)
    throw new ModelNotFound(asked, similar === undefined ? "" : `; did you mean '${similar}'?`)
  }

  async #findDropped(name: string, ignoreCase: boolean): Promise<KnownModel | undefined> {
    const model = await this.#dropped.find(name, { ignoreCase })
    return model && { origin: "dropped", ...model }
  }

  async #findInstalled(name: string): Promise<KnownModel | undefined> {
    const parsed = tryParse(name)
    const installed = parsed && (await this.#installed.find(parsed))
    return installed && { origin: "installed", installed, summary: toSummary(installed) }
  }

  async #onlyName(): Promise<string> {
    const [first, ...others] = await this.list()
    if (first === undefined) {
      throw new InvalidRequest("model is missing, and there is no model to choose", "model")
    }
    if (others.length === 0) return first.name
    throw new InvalidRequest(`model is missing, and there are ${others.length + 1} to choose from`, "model")
  }

  /** Where the files of a text model are. */
  async #partsOf(model: KnownModel): Promise<FoundModel> {
    if (model.origin === "dropped") return model.found
    await this.#makeWhole(model.installed)
    const { path, paths } = placeOf(model.installed.manifest, this.#layout)
    return { name: model.summary.name, path, paths }
  }

  /** Puts the files of a model together where that has been undone; looked at closely once for each process. */
  async #makeWhole({ manifest }: InstalledModel): Promise<void> {
    const { view } = placeOf(manifest, this.#layout)
    if (view === undefined || (this.#wholeViews.has(view.id) && existsSync(view.folder))) return
    await ensureView(view, this.#layout)
    this.#wholeViews.add(view.id)
  }
}

function toSummary({ name, kind, path, id, sizeBytes, installedAt }: InstalledEntry): ModelSummary {
  return { name: formatModelName(name), kind, path, id, sizeBytes, modifiedAt: installedAt }
}

function tryParse(name: string): ModelName | undefined {
  try {
    return parseModelName(name)
  } catch (error) {
    if (error instanceof InvalidModelName) return undefined
    throw error
  }
}

function newestFirst(a: ModelSummary, b: ModelSummary): number {
  const byTime = b.modifiedAt.getTime() - a.modifiedAt.getTime()
  return byTime !== 0 ? byTime : a.name.localeCompare(b.name)
}
