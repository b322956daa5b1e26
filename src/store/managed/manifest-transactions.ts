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
import { ensureView, mainFiles, placeOf, pruneViews } from "./views"

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** The error where the model to delete has been replaced by another one. */
export function replacedMeanwhile(name: string): ModelNotFound {
  return new ModelNotFound(name, ": the name was given to another model meanwhile; nothing was deleted")
}

function digestsOf({ files }: Manifest): ReadonlySet<Digest> {
  return new Set(files.map(({ digest }) => digest))
}

/** `undefined` where it is missing or not a GGUF file; other checks report that. */
async function headerOf(path: string): Promise<GgufHeader | undefined> {
  if (!(await Bun.file(path).exists())) return undefined
  try {
    return readGgufHeader(path)
  } catch (error) {
    if (error instanceof InvalidModelFile) return undefined
    throw error
  }
}

/** Changes to the set of installed models. One at a time across all processes. */
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
    // Parsed as readers will, before any of its names becomes a path.
    const checked = await parseManifest(new TextEncoder().encode(printManifest(manifest)))
    await this.#refuseHalves(name, checked)
    // Done before the lock, as it is slow where files cannot be linked; verified under the lock.
    const { view } = placeOf(checked, this.#layout)
    if (view !== undefined) await ensureView(view, this.#layout).catch(() => undefined)
    using _lock = await lockStore(this.#layout)
    const model = (await this.#kept(name, checked, options)) ?? (await this.#write(name, checked))
    await this.#blobs.settle(checked.files.map(({ digest }) => digest))
    return model
  }

  /** @throws ModelNotFound where it was removed meanwhile; StoreBusy */
  async copy(source: ModelName, target: ModelName): Promise<ManagedModel> {
    using _lock = await lockStore(this.#layout)
    return await this.#write(target, (await this.#existing(source)).manifest)
  }

  /** Frees blobs added by this process that no model uses, unless another one holds them. */
  async abandon(digests: readonly Digest[]): Promise<void> {
    const made = await this.#blobs.settle(digests)
    if (made.length === 0) return
    using _lock = await lockStore(this.#layout)
    await this.#free(new Set(made), await this.#managed.digestsBeside(undefined))
  }

  /**
   * Removes the model with that id; returns the number of bytes freed.
   * @throws ModelNotFound where it was removed or replaced meanwhile; StoreBusy
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
   * Removes a manifest that cannot be read; returns the number of bytes freed.
   * @throws ModelNotFound where it was removed or replaced meanwhile; StoreBusy
   */
  async removeDamaged(name: ModelName): Promise<number> {
    using _lock = await lockStore(this.#layout)
    if ((await this.#managed.occupant(name)) !== "unreadable") throw replacedMeanwhile(formatModelName(name))
    const digests = await this.#managed.digestsIn(name)
    const used = await this.#managed.digestsBeside(name)
    await this.#managed.delete(name)
    return await this.#free(digests, used)
  }

  /**
   * Removes the leftovers of killed processes, and blobs that no model has used for `orphanMs`. Does nothing where
   * nothing needs to, or can, be changed.
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
      // Files with other names were not created by xLLM.
      if (digest === undefined || used.has(digest) || held.has(digest)) continue
      const path = join(this.#layout.blobs, file)
      // The time of its rename into place: the download may be older.
      const since = (await stat(path).catch(() => undefined))?.ctimeMs ?? Date.now()
      if (Date.now() - since > orphanMs) await rm(path, { force: true })
    }
  }

  /**
   * Returns the existing model where it is identical and may not be replaced.
   * @throws ModelExists for a different one
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

  /** Never installs a split model with parts missing, whatever its source. @throws InvalidModelFile */
  async #refuseHalves(name: ModelName, manifest: Manifest): Promise<void> {
    if (manifest.kind !== "text") return
    const weights: WeightsFile[] = []
    for (const { digest, name: file } of mainFiles(manifest)) {
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
