import { existsSync } from "node:fs"
import { stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { bytesOfParts } from "../domain/attached-parts"
import { isGguf, type ModelDetails, type ModelKind, type ModelSummary } from "../domain/model"
import { placeAndReason } from "../errors/base"
import { InvalidModelFile, ModelLoadFailed } from "../errors/model"
import { partPaths } from "../formats/gguf/split"
import { type Aliases, NO_ALIASES } from "../lib/aliases"
import { mapSome } from "../lib/async/map-some"
import type { Logger } from "../log/logger"
import { AdapterFiles } from "./adapters/adapter-files"
import { AdapterFolders } from "./adapters/adapter-folders"
import { type ConfiguredAdapter, createAdapterLibrary } from "./adapters/adapter-library"
import type {
  AdapterLibrary,
  AliasState,
  Blobs,
  InstallOptions,
  ModelContents,
  Occupant,
  RemovedModel,
  Store,
} from "./contract"
import { asFileFailure, withFileFailures } from "./file-failure"
import { pruneDerived, removeDerived } from "./fs"
import { layoutOf, lockStore, type StoreLayout } from "./layout"
import { manifestOfLocal } from "./local/local-manifest"
import { type LocalModel, LocalModels } from "./local/local-models"
import { type MediaDescription, MediaFiles } from "./local/media-file"
import { ModelFiles } from "./local/model-file"
import { ProjectorFiles } from "./local/projector-files"
import type { FoundModel } from "./local/scan"
import { attachedParts } from "./managed/attached-parts"
import { BlobFolder, digestOfFile } from "./managed/blobs"
import { defaultsOf } from "./managed/defaults"
import { type ManagedModel, ManagedModels } from "./managed/managed-models"
import type { Digest, Manifest } from "./managed/manifest"
import { ManifestTransactions, replacedMeanwhile } from "./managed/manifest-transactions"
import { mergeDetails } from "./managed/merge-details"
import { ensureView, placeOf } from "./managed/views"
import { MetadataCache } from "./metadata-cache"
import { type KnownModel, ModelLookup, onlyModel, summaryOf, tryParseName } from "./model-lookup"
import { formatModelName, type ModelName } from "./names"

/** How long unused files are kept: a blob may belong to a download that will be resumed. */
const ORPHAN_MS = 7 * 24 * 3600 * 1000

/** What a manifest adds to a model's weights. */
type Extras = Pick<ModelSummary, "defaults" | "parts">

export interface StoreOptions {
  /** Every `*.gguf` in it and below is a model, except in the folders of installed models. It need not exist. */
  readonly modelsFolder: string
  /** Aliases, read on every lookup as they may change. Absent: there are none. */
  readonly aliases?: () => Aliases
  /** Every `*.gguf` directly in it is an adapter. It need not exist. Absent: `loras` beside the models folder. */
  readonly adaptersFolder?: string
  /** Adapters that are applied to every model that they fit, read on every use as they may change. */
  readonly configuredAdapters?: () => readonly ConfiguredAdapter[]
  /** Logs damaged manifests and unusable models; omit to disable. */
  readonly log?: Logger
}

/**
 * The models of one folder, plus the files added by path. Every call reads the folder again: a file placed in it,
 * or a model installed or removed by any process, counts at once. Names are matched against the files found and
 * never turned into paths.
 */
export function createStore(options: StoreOptions): Store {
  return new FolderStore(options)
}

class FolderStore implements Store {
  readonly blobs: Blobs
  readonly adapters: AdapterLibrary
  readonly #layout: StoreLayout
  readonly #cache: MetadataCache
  readonly #files: ModelFiles
  readonly #media: MediaFiles
  readonly #projectors: ProjectorFiles
  readonly #local: LocalModels
  readonly #managed: ManagedModels
  readonly #transactions: ManifestTransactions
  readonly #lookup: ModelLookup
  /** By id of the installed model: translating a template takes longer than finding it. */
  readonly #extras = new Map<string, Extras>()
  /** View folders that this process has verified. */
  readonly #wholeViews = new Set<string>()

  constructor({
    modelsFolder,
    adaptersFolder = join(dirname(modelsFolder), "loras"),
    configuredAdapters = () => [],
    aliases = () => NO_ALIASES,
    log,
  }: StoreOptions) {
    const layout = layoutOf(modelsFolder)
    const cache = new MetadataCache(layout.index)
    this.#cache = cache
    const blobs = new BlobFolder(layout)
    this.blobs = blobs
    this.#layout = layout
    this.#files = new ModelFiles(cache)
    this.#media = new MediaFiles(cache)
    this.adapters = createAdapterLibrary({
      files: new AdapterFiles(cache),
      folders: new AdapterFolders(layout.derived),
      folder: adaptersFolder,
      configured: configuredAdapters,
      architectureOf: (model) => this.#architectureOf(model),
    })
    this.#projectors = new ProjectorFiles(cache)
    this.#local = new LocalModels(
      modelsFolder,
      { files: this.#files, media: this.#media, projectors: this.#projectors },
      log,
    )
    this.#managed = new ManagedModels(layout, cache, log)
    this.#transactions = new ManifestTransactions(layout, blobs, this.#managed)
    this.#lookup = new ModelLookup({
      files: this.#files,
      local: this.#local,
      managed: this.#managed,
      aliases,
      list: () => this.list(),
    })
  }

  async list(): Promise<readonly ModelSummary[]> {
    const [local, managed] = await Promise.all([this.#local.list(), this.#managed.list()])
    const installed = await mapSome(managed, (entry) => summaryOf(entry, this.#files))
    const names = new Set(local.map(({ summary }) => summary.name.toLowerCase()))
    const summaries = [
      ...local.map(({ summary }) => summary),
      ...installed.filter(({ name }) => !names.has(name.toLowerCase())),
    ].sort(newestFirst)
    const aliases = await this.aliases()
    return summaries.map((summary) => withAliases(summary, aliases))
  }

  aliases(): Promise<readonly AliasState[]> {
    return this.#lookup.aliasStates()
  }

  aliasTarget(name: string): Promise<string | undefined> {
    return this.#lookup.aliasTarget(name)
  }

  async resolve(name: string | undefined, kind?: ModelKind): Promise<ModelSummary> {
    // Missing files are reported by the load; the model can still be removed.
    const { model } = await this.#findWhole(name ?? (await this.#onlyName(kind)))
    const describe = () => this.#files.describe(this.#weightsOf(model)).catch(() => undefined)
    return (await this.#projectors.check(this.#withExtras(model), describe)).model
  }

  async describe(name: string): Promise<ModelDetails> {
    const { model, problem } = await this.#findWhole(name)
    const summary = withAliases(this.#withExtras(model), await this.aliases())
    try {
      if (problem !== undefined) throw problem
      const description = isGguf(summary)
        ? await this.#files.describe(this.#weightsOf(model))
        : await this.#describeMedia(summary)
      const base = "embeddingLength" in description ? description : undefined
      const { projector, model: checked } = await this.#projectors.check(summary, () => Promise.resolve(base))
      const manifest = model.origin === "managed" ? model.managed.manifest : undefined
      // Both are of the summary's kind.
      return {
        ...checked,
        ...mergeDetails(description, summary, { manifest, projector }),
        ...(projector !== undefined && { projector }),
      } as ModelDetails
    } catch (error) {
      const reason = error instanceof InvalidModelFile ? error.reason : placeAndReason(error)
      throw new ModelLoadFailed(name, reason, error)
    }
  }

  add(path: string): Promise<ModelSummary> {
    return this.#local.add(path)
  }

  async manifest(name: string): Promise<Manifest | undefined> {
    const model = await this.#lookup.find(name)
    return model.origin === "managed" ? model.managed.manifest : undefined
  }

  contents(name: string): Promise<ModelContents> {
    return this.#translated(() => this.#contents(name))
  }

  async #contents(name: string): Promise<ModelContents> {
    const model = await this.#lookup.find(name)
    if (model.origin === "managed") {
      const pathOf = (digest: Digest) => this.blobs.pathOf(digest)
      return { name: model.summary.name, manifest: model.managed.manifest, pathOf }
    }
    const paths = new Map<Digest, string>()
    const manifest = await manifestOfLocal(model, async (path) => {
      const digest = await digestOfFile(path)
      paths.set(digest, path)
      return { digest, sizeBytes: (await stat(path)).size }
    })
    return { name: model.summary.name, manifest, pathOf: (digest) => paths.get(digest) ?? "" }
  }

  installedAs(name: ModelName): Promise<Occupant | undefined> {
    return this.#managed.occupant(name)
  }

  async install(name: ModelName, manifest: Manifest, options: InstallOptions = {}): Promise<ModelSummary> {
    return await summaryOf(
      await this.#translated(() => this.#transactions.install(name, manifest, options)),
      this.#files,
    )
  }

  async abandon(digests: readonly Digest[]): Promise<void> {
    // The caller is about to report another failure: this one would only distract, and the leftovers expire by
    // themselves.
    await this.#transactions.abandon(digests).catch(() => {})
  }

  remove(name: string, expectedId?: string): Promise<RemovedModel> {
    return this.#translated(() => this.#remove(name, expectedId))
  }

  async #remove(name: string, expectedId: string | undefined): Promise<RemovedModel> {
    const damaged = tryParseName(name)
    if (damaged !== undefined && expectedId === undefined && (await this.#lookup.isDamaged(name, damaged))) {
      const freedBytes = await this.#transactions.removeDamaged(damaged)
      return { name: formatModelName(damaged), freedBytes, wasDamaged: true }
    }
    const refused = expectedId === undefined ? await this.#lookup.lookUp(name) : undefined
    if (refused !== undefined && "refusal" in refused) {
      return { name: refused.found.name, freedBytes: 0, paths: await this.#local.delete(refused.found) }
    }
    const model = await this.#lookup.find(name)
    const { id } = model.summary
    if (expectedId !== undefined && id !== expectedId) throw replacedMeanwhile(name)
    const removed =
      model.origin === "local"
        ? await this.#removeLocal(model)
        : { freedBytes: await this.#transactions.remove(model.managed.name, id) }
    const hasTwin = (await this.list()).some((other) => other.id === id)
    if (!hasTwin) await removeDerived(this.#layout, id)
    return { name: model.summary.name, ...removed }
  }

  async #removeLocal({ found, summary }: LocalModel): Promise<Omit<RemovedModel, "name">> {
    const { sizeBytes, parts = [] } = summary
    const paths = await this.#local.delete(found, parts)
    return { freedBytes: sizeBytes - bytesOfParts(parts.filter(({ path }) => !paths.includes(path))), paths }
  }

  async copy(source: string, target: ModelName): Promise<ModelSummary> {
    const model = await this.#lookup.find(source)
    if (model.origin === "local") return await this.#copyIn(model, target)
    return await summaryOf(
      await this.#translated(() => this.#transactions.copy(model.managed.name, target)),
      this.#files,
    )
  }

  async #copyIn(model: LocalModel, target: ModelName): Promise<ModelSummary> {
    const added: Digest[] = []
    try {
      const manifest = await manifestOfLocal(model, async (path) => {
        const blob = await this.blobs.addFile(path)
        added.push(blob.digest)
        return blob
      })
      return await this.install(target, manifest)
    } catch (error) {
      await this.abandon(added)
      throw error
    }
  }

  explain(error: unknown): unknown {
    return asFileFailure(error, this.#layout)
  }

  async tidy(): Promise<void> {
    await this.#transactions.tidy(ORPHAN_MS)
    await pruneDerived(this.#layout, new Set((await this.list()).map(({ id }) => id)), ORPHAN_MS)
    this.#cache.prune()
  }

  #translated<T>(work: () => Promise<T>): Promise<T> {
    return withFileFailures(this.#layout, work)
  }

  async #onlyName(kind: ModelKind | undefined): Promise<string> {
    return await onlyModel(await this.list(), kind, (models) => this.#generating(models))
  }

  /** The models that generate text, as far as is known. */
  async #generating(models: readonly ModelSummary[]): Promise<readonly ModelSummary[]> {
    const isAble = await mapSome(models, async ({ name }) => {
      const details = await this.describe(name).catch(() => undefined)
      return details === undefined || details.capabilities.includes("completion")
    })
    return models.filter((_, index) => isAble[index] === true)
  }

  #withExtras({ summary, ...model }: KnownModel): ModelSummary {
    if (model.origin === "local") return summary
    const { id, manifest } = model.managed
    const extras = this.#extras.get(id) ?? this.#extrasOf(manifest)
    this.#extras.set(id, extras)
    return { ...summary, ...extras }
  }

  #extrasOf(manifest: Manifest): Extras {
    const defaults = defaultsOf(manifest)
    const parts = attachedParts(manifest, (digest) => this.blobs.pathOf(digest))
    return {
      ...(Object.keys(defaults).length > 0 && { defaults }),
      ...(parts.length > 0 && { parts }),
    }
  }

  async #architectureOf({ name, path }: ModelSummary): Promise<string | undefined> {
    const file = await this.#files.inspect({ form: "gguf", name, path, paths: partPaths(path) })
    return file.kind?.architecture
  }

  /** The files of a text model. */
  #weightsOf(model: KnownModel): FoundModel {
    if (model.origin === "local") return model.found
    const { path, paths } = placeOf(model.managed.manifest, this.#layout)
    return { form: "gguf", name: model.summary.name, path, paths }
  }

  async #describeMedia({ kind, path }: ModelSummary): Promise<MediaDescription> {
    const { finding } = await this.#media.inspect(path)
    if (finding.is === "refused") throw new InvalidModelFile(path, finding.reason)
    if (finding.is === "model" && finding.description.kind === kind) return finding.description
    throw new InvalidModelFile(path, `its files are not those of a ${kind} model`)
  }

  /** Finds a model and makes its files ready to load; `problem` says why that is impossible. */
  async #findWhole(name: string): Promise<{ readonly model: KnownModel; readonly problem?: unknown }> {
    const model = await this.#lookup.find(name)
    if (model.origin === "local") return { model }
    try {
      await this.#makeWhole(model.managed)
      return { model }
    } catch {
      // It may have been replaced meanwhile, and its files freed. Under the lock it cannot change.
      using _lock = await lockStore(this.#layout)
      const now = await this.#lookup.find(name)
      if (now.origin === "local") return { model: now }
      return await this.#makeWhole(now.managed).then(
        () => ({ model: now }),
        (problem: unknown) => ({ model: now, problem }),
      )
    }
  }

  /** Restores a model's view where it is damaged; verified once per process. */
  async #makeWhole({ manifest }: ManagedModel): Promise<void> {
    const { view } = placeOf(manifest, this.#layout)
    if (view === undefined || (this.#wholeViews.has(view.id) && existsSync(view.folder))) return
    await ensureView(view, this.#layout)
    this.#wholeViews.add(view.id)
  }
}

function withAliases<M extends ModelSummary>(model: M, all: readonly AliasState[]): M {
  const aliases = all.filter((state) => state.model === model.name && state.hiddenBy === undefined)
  return aliases.length === 0 ? model : { ...model, aliases: aliases.map(({ alias }) => alias) }
}

function newestFirst(a: ModelSummary, b: ModelSummary): number {
  const byTime = b.modifiedAt.getTime() - a.modifiedAt.getTime()
  return byTime !== 0 ? byTime : a.name.localeCompare(b.name)
}
