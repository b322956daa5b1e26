import { existsSync } from "node:fs"
import { stat } from "node:fs/promises"
import { basename } from "node:path"
import {
  isGguf,
  type ModelDefaults,
  type ModelDetails,
  type ModelKind,
  type ModelSummary,
} from "../domain/model"
import { KINDS } from "../domain/tasks"
import { placeAndReason } from "../errors/base"
import { InvalidModelFile, InvalidModelName, ModelLoadFailed, ModelNotFound } from "../errors/model"
import { InvalidRequest } from "../errors/request"
import { readModelFolder } from "../formats/model-folder"
import { type Aliases, aliasOf, NO_ALIASES } from "../lib/aliases"
import { mapSome } from "../lib/async/map-some"
import type { Logger } from "../log/logger"
import type {
  AliasState,
  Blob,
  Blobs,
  InstallOptions,
  ModelContents,
  Occupant,
  RemovedModel,
  Store,
} from "./contract"
import { asFileFailure, toldOfFiles } from "./file-failure"
import { pruneDerived, removeDerived } from "./fs"
import { damagedDescription, FIRST_MODEL, hintFor } from "./hint"
import { layoutOf, lockStore, type StoreLayout } from "./layout"
import { type LocalModel, LocalModels, type RefusedModel } from "./local/local-models"
import { type MediaDescription, MediaFiles } from "./local/media-file"
import { ggufModelKind, ModelFiles } from "./local/model-file"
import type { FoundModel } from "./local/scan"
import { BlobFolder, digestOfFile } from "./managed/blobs"
import { defaultsOf } from "./managed/defaults"
import { type ManagedEntry, type ManagedModel, ManagedModels } from "./managed/managed-models"
import type { Digest, Manifest, ManifestFile } from "./managed/manifest"
import { ManifestTransactions, replacedMeanwhile } from "./managed/manifest-transactions"
import { mergeDetails } from "./managed/merge-details"
import { ensureView, placeOf } from "./managed/views"
import { MetadataCache } from "./metadata-cache"
import { formatModelName, type ModelName, parseModelName } from "./names"

/** How long unused files are kept: a blob may belong to a download that will be resumed. */
const ORPHAN_MS = 7 * 24 * 3600 * 1000

export interface StoreOptions {
  /** Every `*.gguf` in it and below is a model, except in the folders of installed models. It need not exist. */
  readonly modelsFolder: string
  /** Aliases, read on every lookup as they may change. Absent: there are none. */
  readonly aliases?: () => Aliases
  /** Logs damaged manifests and unusable models; omit to disable. */
  readonly log?: Logger
}

/** A model and its location. */
type KnownModel =
  | (LocalModel & { readonly origin: "dropped" })
  | { readonly origin: "installed"; readonly installed: ManagedModel; readonly summary: ModelSummary }

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
  readonly #layout: StoreLayout
  readonly #aliases: () => Aliases
  readonly #cache: MetadataCache
  readonly #files: ModelFiles
  readonly #media: MediaFiles
  readonly #local: LocalModels
  readonly #managed: ManagedModels
  readonly #library: ManifestTransactions
  /** By id of the installed model: translating a template takes longer than finding it. */
  readonly #defaults = new Map<string, ModelDefaults>()
  /** View folders that this process has verified. */
  readonly #wholeViews = new Set<string>()

  constructor({ modelsFolder, aliases = () => NO_ALIASES, log }: StoreOptions) {
    const layout = layoutOf(modelsFolder)
    this.#aliases = aliases
    const cache = new MetadataCache(layout.index)
    this.#cache = cache
    const blobs = new BlobFolder(layout)
    this.blobs = blobs
    this.#layout = layout
    this.#files = new ModelFiles(cache)
    this.#media = new MediaFiles(cache)
    this.#local = new LocalModels(modelsFolder, this.#files, this.#media, log)
    this.#managed = new ManagedModels(layout, cache, log)
    this.#library = new ManifestTransactions(layout, blobs, this.#managed)
  }

  async list(): Promise<readonly ModelSummary[]> {
    const [dropped, installed] = await Promise.all([this.#local.list(), this.#managed.list()])
    const managed = await mapSome(installed, (entry) => this.#summaryOf(entry))
    const names = new Set(dropped.map(({ summary }) => summary.name.toLowerCase()))
    const summaries = [
      ...dropped.map(({ summary }) => summary),
      ...managed.filter(({ name }) => !names.has(name.toLowerCase())),
    ].sort(newestFirst)
    const aliases = await this.aliases()
    return summaries.map((summary) => withAliases(summary, aliases))
  }

  async aliases(): Promise<readonly AliasState[]> {
    const aliases = Array.from(this.#aliases())
    return await Promise.all(aliases.map(([alias, target]) => this.#stateOf(alias, target)))
  }

  async aliasTarget(name: string): Promise<string | undefined> {
    const end = await this.#follow(name)
    return end.name === name ? undefined : end.name
  }

  async #stateOf(alias: string, target: string): Promise<AliasState> {
    const [hidden, model] = await Promise.all([this.#lookUpModel(alias), this.#lookUp(target)])
    const nameOf = (found: typeof model) =>
      found === undefined || "refusal" in found ? undefined : found.summary.name
    return { alias, target, hiddenBy: nameOf(hidden), model: nameOf(model) }
  }

  async resolve(name: string | undefined, kind?: ModelKind): Promise<ModelSummary> {
    // Missing files are reported by the load; the model can still be removed.
    return this.#withDefaults((await this.#findWhole(name ?? (await this.#onlyName(kind)))).model)
  }

  async describe(name: string): Promise<ModelDetails> {
    const { model, problem } = await this.#findWhole(name)
    const summary = withAliases(this.#withDefaults(model), await this.aliases())
    try {
      if (problem !== undefined) throw problem
      const description = isGguf(summary)
        ? await this.#files.describe(this.#partsOf(model))
        : await this.#describeMedia(summary)
      const along = {
        manifest: model.origin === "installed" ? model.installed.manifest : undefined,
        sees: model.origin === "dropped" && (await this.#local.hasProjector(model)),
      }
      // Both are of the summary's kind.
      return { ...summary, ...mergeDetails(description, summary, along) } as ModelDetails
    } catch (error) {
      const reason = error instanceof InvalidModelFile ? error.reason : placeAndReason(error)
      throw new ModelLoadFailed(name, reason, error)
    }
  }

  add(path: string): Promise<ModelSummary> {
    return this.#local.add(path)
  }

  async manifest(name: string): Promise<Manifest | undefined> {
    const model = await this.#find(name)
    return model.origin === "installed" ? model.installed.manifest : undefined
  }

  contents(name: string): Promise<ModelContents> {
    return this.#telling(() => this.#contents(name))
  }

  async #contents(name: string): Promise<ModelContents> {
    const model = await this.#find(name)
    if (model.origin === "installed") {
      const pathOf = (digest: Digest) => this.blobs.pathOf(digest)
      return { name: model.summary.name, manifest: model.installed.manifest, pathOf }
    }
    const paths = new Map<Digest, string>()
    const manifest = await manifestOf(model, async (path) => {
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
    return await this.#summaryOf(await this.#telling(() => this.#library.install(name, manifest, options)))
  }

  async abandon(digests: readonly Digest[]): Promise<void> {
    // The caller is about to report another failure: this one would only distract, and the leftovers expire by
    // themselves.
    await this.#library.abandon(digests).catch(() => {})
  }

  remove(name: string, expectedId?: string): Promise<RemovedModel> {
    return this.#telling(() => this.#remove(name, expectedId))
  }

  async #remove(name: string, expectedId: string | undefined): Promise<RemovedModel> {
    const damaged = tryParse(name)
    if (damaged !== undefined && expectedId === undefined && (await this.#isDamaged(name, damaged))) {
      const freedBytes = await this.#library.removeDamaged(damaged)
      return { name: formatModelName(damaged), freedBytes, wasDamaged: true }
    }
    const refused = expectedId === undefined ? await this.#lookUp(name) : undefined
    if (refused !== undefined && "refusal" in refused) {
      return { name: refused.found.name, freedBytes: 0, paths: await this.#local.delete(refused.found) }
    }
    const model = await this.#find(name)
    const { id } = model.summary
    if (expectedId !== undefined && id !== expectedId) throw replacedMeanwhile(name)
    const removed =
      model.origin === "dropped"
        ? { freedBytes: model.summary.sizeBytes, paths: await this.#local.delete(model.found) }
        : { freedBytes: await this.#library.remove(model.installed.name, id) }
    const hasTwin = (await this.list()).some((other) => other.id === id)
    if (!hasTwin) await removeDerived(this.#layout, id)
    return { name: model.summary.name, ...removed }
  }

  /** Does the name mean nothing but a damaged manifest? */
  async #isDamaged(name: string, parsed: ModelName): Promise<boolean> {
    if ((await this.#managed.occupant(parsed)) !== "unreadable") return false
    return (await this.#lookUp(name)) === undefined
  }

  async copy(source: string, target: ModelName): Promise<ModelSummary> {
    const model = await this.#find(source)
    if (model.origin === "dropped") return await this.#copyIn(model, target)
    const { installed } = model
    return await this.#summaryOf(await this.#telling(() => this.#library.copy(installed.name, target)))
  }

  async #copyIn(model: LocalModel, target: ModelName): Promise<ModelSummary> {
    const added: Digest[] = []
    try {
      const manifest = await manifestOf(model, async (path) => {
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
    await this.#library.tidy(ORPHAN_MS)
    await pruneDerived(this.#layout, new Set((await this.list()).map(({ id }) => id)), ORPHAN_MS)
    this.#cache.prune()
  }

  #telling<T>(work: () => Promise<T>): Promise<T> {
    return toldOfFiles(this.#layout, work)
  }

  async #find(asked: string): Promise<KnownModel> {
    const found = await this.#lookUp(asked)
    if (found === undefined) throw new ModelNotFound(asked, await this.#hint(asked))
    if ("refusal" in found) throw new ModelLoadFailed(asked, found.refusal)
    return found
  }

  /** The one rule for names: a model of that name, or else the alias's target. */
  async #lookUp(asked: string): Promise<KnownModel | RefusedModel | undefined> {
    return (await this.#follow(asked)).found
  }

  /** The final target of an alias chain, and the model of that name. */
  async #follow(
    asked: string,
  ): Promise<{ readonly name: string; readonly found: KnownModel | RefusedModel | undefined }> {
    let name = asked
    // No more steps than there are aliases: they have no loops, unless they were changed meanwhile.
    for (let steps = this.#aliases().size; ; steps--) {
      const found = await this.#lookUpModel(name)
      const next = aliasOf(this.#aliases(), name)?.target
      if (found !== undefined || next === undefined || steps <= 0) return { name, found }
      name = next
    }
  }

  /**
   * A local file, then an installed model, whose tag `latest` may be omitted, then a file again, which may be given
   * that tag. Case is ignored; among files an exact match comes first.
   */
  async #lookUpModel(asked: string): Promise<KnownModel | RefusedModel | undefined> {
    const dropped = await this.#findDropped(asked)
    if (dropped !== undefined && !("refusal" in dropped)) return dropped
    const installed = await this.#findInstalled(asked)
    if (installed !== undefined || dropped !== undefined) return installed ?? dropped
    const bare = asked.replace(/:latest$/i, "")
    return bare === asked ? undefined : await this.#findDropped(bare)
  }

  async #findDropped(name: string): Promise<KnownModel | RefusedModel | undefined> {
    const found = await this.#local.find(name)
    return found === undefined || "refusal" in found ? found : { origin: "dropped", ...found }
  }

  async #hint(name: string): Promise<string> {
    const parsed = tryParse(name)
    if (parsed !== undefined && (await this.#managed.occupant(parsed)) === "unreadable") {
      return `: ${damagedDescription(formatModelName(parsed))}`
    }
    const target = await this.aliasTarget(name)
    if (target !== undefined) return `: it is an alias of '${target}', which does not exist`
    const models = await this.list()
    return hintFor(
      name,
      models.flatMap((model) => [model.name, ...(model.aliases ?? [])]),
    )
  }

  async #findInstalled(name: string): Promise<KnownModel | undefined> {
    const parsed = tryParse(name)
    const installed = parsed && (await this.#managed.find(parsed))
    return installed && { origin: "installed", installed, summary: await this.#summaryOf(installed) }
  }

  /**
   * The only model of a kind. Text models that generate no text (embedding models and the like) count only where
   * there are no others.
   */
  async #onlyName(kind: ModelKind | undefined): Promise<string> {
    const all = await this.list()
    const ofKind = kind === undefined ? all : all.filter((model) => model.kind === kind)
    const able = kind === "text" && ofKind.length > 1 ? await this.#generating(ofKind) : ofKind
    const [first, ...others] = able.length > 0 ? able : ofKind
    const what = kind === undefined ? "model" : `${KINDS[kind].type} model`
    if (first === undefined) {
      const reason =
        all.length === 0 ? `there are no models here yet: ${FIRST_MODEL}` : `there is no ${what} to choose`
      throw new InvalidRequest(`model is required: ${reason}`, "model")
    }
    if (others.length === 0) return first.name
    throw new InvalidRequest(
      `model is required: there are ${others.length + 1} ${what}s to choose from`,
      "model",
    )
  }

  /** The models that generate text, as far as is known. */
  async #generating(models: readonly ModelSummary[]): Promise<readonly ModelSummary[]> {
    const isAble = await mapSome(models, async ({ name }) => {
      const details = await this.describe(name).catch(() => undefined)
      return details === undefined || details.capabilities.includes("completion")
    })
    return models.filter((_, index) => isAble[index] === true)
  }

  /** Manifests do not tell what GGUF files are for. */
  async #summaryOf(entry: ManagedEntry): Promise<ModelSummary> {
    const { path, id, sizeBytes, installedAt: modifiedAt } = entry
    const name = formatModelName(entry.name)
    const kind =
      entry.kind === "text"
        ? await this.#files.inspect({ form: "gguf", name, path, paths: [path] }).then(
            ggufModelKind,
            () => "text" as const, // the load reports what is wrong with it
          )
        : entry.kind
    return { name, kind, path, id, sizeBytes, modifiedAt }
  }

  #withDefaults({ summary, ...model }: KnownModel): ModelSummary {
    if (model.origin === "dropped") return summary
    const { id, manifest } = model.installed
    const defaults = this.#defaults.get(id) ?? defaultsOf(manifest, (digest) => this.blobs.pathOf(digest))
    this.#defaults.set(id, defaults)
    return Object.keys(defaults).length === 0 ? summary : { ...summary, defaults }
  }

  /** The files of a text model. */
  #partsOf(model: KnownModel): FoundModel {
    if (model.origin === "dropped") return model.found
    const { path, paths } = placeOf(model.installed.manifest, this.#layout)
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
    const model = await this.#find(name)
    if (model.origin === "dropped") return { model }
    try {
      await this.#makeWhole(model.installed)
      return { model }
    } catch {
      // It may have been replaced meanwhile, and its files freed. Under the lock it cannot change.
      using _lock = await lockStore(this.#layout)
      const now = await this.#find(name)
      if (now.origin === "dropped") return { model: now }
      return await this.#makeWhole(now.installed).then(
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

/** The manifest of a model made of these files; `take` returns the digest of one. */
async function manifestOf(
  { found, summary }: LocalModel,
  take: (path: string) => Promise<Blob>,
): Promise<Manifest> {
  const role = found.form === "gguf" ? "model" : "file"
  const parts =
    found.form === "gguf"
      ? found.paths.map((path) => ({ name: basename(path), path }))
      : (await readModelFolder(found.path)).files
  const files: ManifestFile[] = []
  for (const { name, path } of parts) files.push({ name, role, ...(await take(path)) })
  return {
    version: 1,
    kind: summary.kind === "embedding" ? "text" : summary.kind,
    createdAt: new Date().toISOString(),
    source: { type: "file", reference: found.path },
    files,
    parameters: {},
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

function newestFirst(a: ModelSummary, b: ModelSummary): number {
  const byTime = b.modifiedAt.getTime() - a.modifiedAt.getTime()
  return byTime !== 0 ? byTime : a.name.localeCompare(b.name)
}
