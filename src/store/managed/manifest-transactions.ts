import { access, constants, readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { InvalidModelFile, ModelExists, ModelNotFound } from "../../errors/model"
import { BlobMissing } from "../../errors/store"
import { readGgufHeader } from "../../formats/gguf/read"
import { splitProblem, type WeightsFile } from "../../formats/gguf/split"
import type { GgufHeader } from "../../formats/gguf/types"
import type { InstallOptions } from "../contract"
import { lockStore, type StoreLayout } from "../layout"
import { formatModelName, type ModelName } from "../names"
import { heldBlobs, sweepWorkspaces } from "../workspace"
import { type BlobFolder, digestOfFileName } from "./blobs"
import type { ManagedModel, ManagedModels } from "./managed-models"
import { type Digest, type Manifest, manifestId, parseManifest, printManifest } from "./manifest"
import { ensureView, partsOf, placeOf, pruneViews } from "./views"

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** Something else has the name that a model was to be deleted by. */
export function replacedMeanwhile(name: string): ModelNotFound {
  return new ModelNotFound(name, ": the name was given to another model meanwhile; nothing was deleted")
}

function digestsOf({ files }: Manifest): ReadonlySet<Digest> {
  return new Set(files.map(({ digest }) => digest))
}

/** `undefined` for what is not there or no GGUF; that is found elsewhere. */
async function headerOf(path: string): Promise<GgufHeader | undefined> {
  if (!(await Bun.file(path).exists())) return undefined
  try {
    return readGgufHeader(path)
  } catch (error) {
    if (error instanceof InvalidModelFile) return undefined
    throw error
  }
}

/** What changes the set of installed models. One change at a time, by whatever process. */
export class ManifestTransactions {
  readonly #layout: StoreLayout
  readonly #blobs: BlobFolder
  readonly #managed: ManagedModels

  constructor(layout: StoreLayout, blobs: BlobFolder, installed: ManagedModels) {
    this.#layout = layout
    this.#blobs = blobs
    this.#managed = installed
  }

  /** @throws BlobMissing, InvalidManifest, ModelExists, StoreBusy */
  async install(name: ModelName, manifest: Manifest, options: InstallOptions): Promise<ManagedModel> {
    // As whoever reads it will check it; before any of its names becomes a path.
    const checked = await parseManifest(new TextEncoder().encode(printManifest(manifest)))
    await this.#refuseHalves(name, checked)
    // Before the lock, because it takes long where files cannot be linked; made sure of under it.
    const { view } = placeOf(checked, this.#layout)
    if (view !== undefined) await ensureView(view, this.#layout).catch(() => undefined)
    using _lock = await lockStore(this.#layout)
    const model = (await this.#kept(name, checked, options)) ?? (await this.#write(name, checked))
    await this.#blobs.settle(checked.files.map(({ digest }) => digest))
    return model
  }

  /** @throws ModelNotFound where it has gone meanwhile; StoreBusy */
  async copy(source: ModelName, target: ModelName): Promise<ManagedModel> {
    using _lock = await lockStore(this.#layout)
    return await this.#write(target, (await this.#existing(source)).manifest)
  }

  /** Frees blobs that this process has made and that no model has, unless somebody holds them. */
  async abandon(digests: readonly Digest[]): Promise<void> {
    const made = await this.#blobs.settle(digests)
    if (made.length === 0) return
    using _lock = await lockStore(this.#layout)
    await this.#free(new Set(made), await this.#managed.digestsBeside(undefined))
  }

  /**
   * Removes the model that has that id; returns the bytes that were freed.
   * @throws ModelNotFound where it has gone or was replaced meanwhile; StoreBusy
   */
  async remove(name: ModelName, id: string): Promise<number> {
    using _lock = await lockStore(this.#layout)
    const old = await this.#existing(name)
    if (old.id !== id) throw replacedMeanwhile(formatModelName(name))
    const used = await this.#managed.digestsBeside(old.name)
    await this.#managed.delete(old.name)
    return await this.#free(digestsOf(old.manifest), used)
  }

  /**
   * Removes what killed processes left behind, and blobs that no model has had for `orphanMs`. Does nothing where there
   * is nothing to do, or to change.
   */
  async tidy(orphanMs: number): Promise<void> {
    if (!(await isWritable(this.#layout.root))) return
    using _lock = await lockStore(this.#layout)
    await sweepWorkspaces(this.#layout.temporary)
    await this.#pruneViews()
    const used = await this.#managed.digestsBeside(undefined)
    const held = await heldBlobs(this.#layout.temporary)
    for (const file of await readdir(this.#layout.blobs).catch(() => [])) {
      const digest = digestOfFileName(file)
      // What is called otherwise was not put there by xLLM.
      if (digest === undefined || used.has(digest) || held.has(digest)) continue
      const path = join(this.#layout.blobs, file)
      // When it was renamed to its place: what it was downloaded as may be older.
      const since = (await stat(path).catch(() => undefined))?.ctimeMs ?? Date.now()
      if (Date.now() - since > orphanMs) await rm(path, { force: true })
    }
  }

  /**
   * The same model under that name, where nothing there may be replaced.
   * @throws ModelExists for any other one
   */
  async #kept(
    name: ModelName,
    manifest: Manifest,
    { mayReplace }: InstallOptions,
  ): Promise<ManagedModel | undefined> {
    if (mayReplace === undefined) return undefined
    const occupant = await this.#managed.occupant(name)
    if (occupant === undefined || mayReplace(occupant)) return undefined
    if (occupant !== "unreadable" && manifestId(occupant) === manifestId(manifest))
      return await this.#existing(name)
    throw new ModelExists(formatModelName(name), "it was not changed")
  }

  async #existing(name: ModelName): Promise<ManagedModel> {
    const model = await this.#managed.find(name)
    if (model === undefined) throw new ModelNotFound(formatModelName(name))
    return model
  }

  async #write(name: ModelName, manifest: Manifest): Promise<ManagedModel> {
    await this.#checkBlobs(name, manifest)
    const { view } = placeOf(manifest, this.#layout)
    if (view !== undefined) await ensureView(view, this.#layout)
    const old = await this.#managed.find(name)
    const used = old && new Set(await this.#managed.digestsBeside(old.name))
    const model = await this.#managed.write(name, manifest)
    if (old !== undefined && used !== undefined) {
      for (const { digest } of manifest.files) used.add(digest)
      await this.#free(digestsOf(old.manifest), used)
    }
    return model
  }

  /** Whatever it comes from, no model is installed of which its files say themselves that there is more. @throws InvalidModelFile */
  async #refuseHalves(name: ModelName, manifest: Manifest): Promise<void> {
    if (manifest.kind !== "text") return
    const weights: WeightsFile[] = []
    for (const { digest, name: file } of partsOf(manifest)) {
      const header = await headerOf(this.#blobs.pathOf(digest))
      if (header !== undefined) weights.push({ name: file, header })
    }
    const problem = splitProblem(weights)
    if (problem !== undefined) throw new InvalidModelFile(`model '${formatModelName(name)}'`, problem)
  }

  async #checkBlobs(name: ModelName, { files }: Manifest): Promise<void> {
    const isThere = await Promise.all(files.map(({ digest }) => this.#blobs.has(digest)))
    const missing = files.filter((_, index) => !isThere[index]).map(({ digest }) => digest)
    if (missing.length > 0) throw new BlobMissing(formatModelName(name), missing)
  }

  /** Frees those blobs that no manifest names. */
  async #free(digests: ReadonlySet<Digest>, used: ReadonlySet<string>): Promise<number> {
    await sweepWorkspaces(this.#layout.temporary)
    const held = await heldBlobs(this.#layout.temporary)
    let bytes = 0
    for (const digest of digests)
      if (!used.has(digest) && !held.has(digest)) bytes += await this.#delete(digest)
    await this.#pruneViews()
    return bytes
  }

  async #delete(digest: Digest): Promise<number> {
    const path = this.#blobs.pathOf(digest)
    const bytes = (await stat(path).catch(() => undefined))?.size ?? 0
    await rm(path, { force: true })
    return bytes
  }

  async #pruneViews(): Promise<void> {
    const entries = await this.#managed.list()
    await pruneViews(this.#layout, new Set(entries.flatMap(({ viewId }) => viewId ?? [])))
  }
}
