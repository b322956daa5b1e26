import { mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises"
import { dirname, join, relative, sep } from "node:path"
import type { ModelKind } from "../../domain/model"
import { reasonOf } from "../../errors/base"
import { FileFailed, InvalidManifest } from "../../errors/store"
import { mapSome } from "../../lib/async/map-some"
import { systemCode } from "../../lib/system/system-reason"
import type { Logger } from "../../log/logger"
import type { Occupant } from "../contract"
import { syncedWrite } from "../fs"
import type { StoreLayout } from "../layout"
import type { CacheTable, MetadataCache } from "../metadata-cache"
import { type ModelName, nameOfParts } from "../names"
import { openWorkspace } from "../workspace"
import {
  type Digest,
  type Manifest,
  manifestId,
  MAX_MANIFEST_BYTES,
  parseManifest,
  printManifest,
} from "./manifest"
import { placeOf } from "./views"

/** A model in a list, as described by its manifest. */
export interface ManagedEntry {
  readonly name: ModelName
  /** Hex digest of the manifest's content. */
  readonly id: string
  readonly kind: ModelKind
  readonly sizeBytes: number
  /** What a worker loads. */
  readonly path: string
  /** Id of the folder its files are assembled in, if any. */
  readonly viewId: string | undefined
  readonly installedAt: Date
}

export interface ManagedModel extends ManagedEntry {
  readonly manifest: Manifest
}

interface ManifestPlace {
  readonly path: string
  readonly name: ModelName
}

/** The part of a manifest cached for lists, so that they need not read licences and templates. */
interface EntryRecord extends Pick<ManagedEntry, "id" | "kind" | "sizeBytes"> {
  readonly viewId?: string
  /** Relative to the models folder. */
  readonly path: string
}

/** Why a manifest is unusable. */
interface DamageRecord {
  readonly damage: string
}

const EXTENSION = ".json"

/**
 * The manifests below the models folder; each version is read once. Their paths are the models' names. A damaged
 * one is logged once and counts as absent.
 */
export class ManagedModels {
  readonly #layout: StoreLayout
  readonly #log: Logger | undefined
  readonly #entries: CacheTable<EntryRecord | DamageRecord>
  readonly #manifests: CacheTable<Manifest>
  /** Manifest versions already logged. */
  readonly #reported = new Set<string>()

  constructor(layout: StoreLayout, cache: MetadataCache, log: Logger | undefined) {
    this.#layout = layout
    this.#entries = cache.table("manifest-entries")
    this.#manifests = cache.table("manifests")
    this.#log = log
  }

  /** All of them, unordered. */
  async list(): Promise<readonly ManagedEntry[]> {
    const entries = await mapSome(await this.#places(), (place) => this.#entryAt(place))
    return entries.flatMap((found) => found?.entry ?? [])
  }

  /**
   * Blobs that models use, except the one of that name. Every file among the manifests counts, by the digests in
   * it: even one that is damaged, from a later version, or from another program that shares the folder, such as
   * Ollama.
   * @throws the file system's error where one cannot be read
   */
  async digestsBeside(name: ModelName | undefined): Promise<ReadonlySet<string>> {
    const used = new Set<string>()
    const own = name && (await this.#placeOf(name))?.path
    for (const path of await filesBelow(this.#layout.manifests)) {
      if (path === own) continue
      for (const digest of await digestsInFile(path)) used.add(digest)
    }
    return used
  }

  /** The digests in the manifest of that name, even where it is damaged; none where it cannot be opened. */
  async digestsIn(name: ModelName): Promise<ReadonlySet<Digest>> {
    const place = await this.#placeOf(name)
    const found = place && (await digestsInFile(place.path).catch(() => []))
    return new Set(found)
  }

  /** The model of that name, ignoring case; an exact match comes first. */
  async find(name: ModelName): Promise<ManagedModel | undefined> {
    const place = await this.#placeOf(name)
    const found = place && (await this.#entryAt(place))
    if (place === undefined || found === undefined) return undefined
    const manifest =
      this.#manifests.get(place.path, found.stamp) ?? (await this.#read(place.path, found.stamp))
    // A manifest just replaced by a damaged one counts as gone.
    return manifest instanceof Error ? undefined : { ...found.entry, manifest }
  }

  /** What has that name, ignoring case, whether usable or not. */
  async occupant(name: ModelName): Promise<Occupant | undefined> {
    const place = await this.#placeOf(name)
    if (place === undefined || (await stat(place.path).catch(() => undefined)) === undefined) return undefined
    return (await this.find(name))?.manifest ?? "unreadable"
  }

  /** Replaces what has that name, ignoring case. Call it under the store's lock. */
  async write(name: ModelName, manifest: Manifest): Promise<ManagedModel> {
    const place = (await this.#placeOf(name)) ?? { name, path: this.#pathOf(name) }
    await using workspace = await openWorkspace(this.#layout.temporary)
    const temporary = join(workspace.path, "manifest")
    await syncedWrite(temporary, printManifest(manifest))
    try {
      await mkdir(dirname(place.path), { recursive: true })
      await rename(temporary, place.path)
    } catch (error) {
      await removeEmptyFolders(dirname(place.path))
      throw error
    }
    const { mtime } = await stat(place.path)
    return { ...this.#toEntry(place.name, this.#recordOf(manifest), mtime), manifest }
  }

  /** Call it under the store's lock. */
  async delete(name: ModelName): Promise<void> {
    const path = (await this.#placeOf(name))?.path ?? this.#pathOf(name)
    await rm(path, { force: true })
    await removeEmptyFolders(dirname(path))
  }

  #pathOf({ host, namespace, model, tag }: ModelName): string {
    return join(this.#layout.manifests, host, namespace, model, tag + EXTENSION)
  }

  /**
   * The path of a name's manifest, existing or not; existing folders in another case are reused. Costs the same
   * however many models there are.
   */
  async #placeOf(name: ModelName): Promise<ManifestPlace | undefined> {
    const parts: string[] = []
    for (const part of [name.host, name.namespace, name.model, name.tag + EXTENSION]) {
      const entries: string[] = await readdir(join(this.#layout.manifests, ...parts)).catch(() => [])
      const lower = part.toLowerCase()
      const same = entries.includes(part) ? part : entries.find((entry) => entry.toLowerCase() === lower)
      parts.push(same ?? part)
    }
    const [host = "", namespace = "", model = "", file = ""] = parts
    const place = nameOf(host, namespace, model, file)
    return place && { path: this.#pathOf(place), name: place }
  }

  async #places(): Promise<readonly ManifestPlace[]> {
    const below = (folders: readonly string[]) =>
      inFolders(folders, (path, error) => this.#report("unreadable folder", path, reasonOf(error)))
    const hosts = await below([this.#layout.manifests])
    const files = await below(await below(await below(hosts)))
    return files.flatMap((path) => {
      const [host = "", namespace = "", model = "", file = ""] = path.split(sep).slice(-4)
      const name = nameOf(host, namespace, model, file)
      return name === undefined ? [] : [{ path, name }]
    })
  }

  async #entryAt({ path, name }: ManifestPlace) {
    const stats = await stat(path).catch(() => undefined)
    if (stats?.isFile() !== true) return undefined
    const stamp = `${stats.ino}:${stats.size}:${stats.mtimeMs}`
    const known = this.#entries.get(path, stamp)
    const record = known ?? (await this.#readEntry(path, stamp))
    if ("damage" in record) {
      this.#report("damaged manifest", path, record.damage, stamp)
      return undefined
    }
    return { stamp, entry: this.#toEntry(name, record, stats.mtime) }
  }

  async #readEntry(path: string, stamp: string): Promise<EntryRecord | DamageRecord> {
    const manifest = await this.#read(path, stamp)
    if (manifest instanceof FileFailed) return { damage: manifest.message }
    const record =
      manifest instanceof InvalidManifest ? { damage: manifest.message } : this.#recordOf(manifest)
    // A file that could not be read may become readable without changing.
    const isKnown = !(manifest instanceof InvalidManifest) || systemCode(manifest.cause) === undefined
    if (isKnown) this.#entries.set(path, stamp, record)
    return record
  }

  /** The manifest, or why it is unusable; a read error may go away without a new version of the file. */
  async #read(path: string, stamp: string): Promise<Manifest | InvalidManifest | FileFailed> {
    try {
      const manifest = await parseManifest(
        await Bun.file(path)
          .slice(0, MAX_MANIFEST_BYTES + 1)
          .bytes(),
      )
      this.#manifests.set(path, stamp, manifest)
      return manifest
    } catch (error) {
      if (error instanceof InvalidManifest) return error
      return new FileFailed("read", path, error)
    }
  }

  #recordOf(manifest: Manifest): EntryRecord {
    const { view, path } = placeOf(manifest, this.#layout)
    return {
      id: manifestId(manifest),
      kind: manifest.kind,
      sizeBytes: manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      path: relative(this.#layout.root, path),
      ...(view !== undefined && { viewId: view.id }),
    }
  }

  #toEntry(name: ModelName, record: EntryRecord, installedAt: Date): ManagedEntry {
    const { id, kind, sizeBytes, path, viewId } = record
    return { name, id, kind, sizeBytes, path: join(this.#layout.root, path), viewId, installedAt }
  }

  #report(event: string, path: string, reason: string, stamp = ""): void {
    const version = `${path}\n${stamp}`
    if (this.#reported.has(version)) return
    this.#reported.add(version)
    this.#log?.warn(event, { path, reason })
  }
}

/** @throws the file system's error where it cannot be read */
async function digestsInFile(path: string): Promise<readonly Digest[]> {
  const text = await Bun.file(path).slice(0, MAX_MANIFEST_BYTES).text()
  // The pattern is that of the type.
  return Array.from(text.matchAll(/sha256:[0-9a-f]{64}/g), ([digest]) => digest as Digest)
}

/** @throws the file system's error where an existing folder cannot be read */
async function filesBelow(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return []
    throw error
  }
}

/** Removes a manifest's folder and the two above it, where empty. */
async function removeEmptyFolders(of: string): Promise<void> {
  let folder = of
  try {
    for (let depth = 0; depth < 3; depth++, folder = dirname(folder)) await rmdir(folder)
  } catch {
    // Not empty, so neither are its parents.
  }
}

/**
 * Lists folders. A path that is missing or not a folder counts as empty; so does one that cannot be read, which is
 * logged.
 */
async function inFolders(
  folders: readonly string[],
  report: (path: string, error: unknown) => void,
): Promise<readonly string[]> {
  const entries = await mapSome(folders, async (folder) => {
    const names = await readdir(folder).catch((error: unknown): string[] => {
      if (!["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) report(folder, error)
      return []
    })
    return names.map((name) => join(folder, name))
  })
  return entries.flat()
}

function nameOf(host: string, namespace: string, model: string, file: string): ModelName | undefined {
  if (!file.endsWith(EXTENSION)) return undefined
  return nameOfParts(host, namespace, model, file.slice(0, -EXTENSION.length))
}
