import { mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Logger } from "../log/logger"
import { syncedWrite } from "./synced-write"
import type { StoreLayout } from "./layout"
import { MAX_MANIFEST_BYTES, type Manifest, manifestId, parseManifest, printManifest } from "./manifest"
import { isSameName, type ModelName, nameOfParts } from "./names"
import { openWorkspace } from "./workspace"

/** A model that a manifest describes. */
export interface InstalledModel {
  readonly name: ModelName
  readonly manifest: Manifest
  /** Hex digest of what the manifest says. */
  readonly id: string
  readonly installedAt: Date
}

interface ManifestPlace {
  readonly path: string
  readonly name: ModelName
}

interface ReadManifest {
  readonly stamp: string
  /** `undefined` for one that is damaged. */
  readonly model: InstalledModel | undefined
}

const EXTENSION = ".json"

/**
 * The manifests below the models folder, and what was read of them for as long as they stay as they are. Their places
 * are their names. A damaged one is told about once and counts as not there.
 */
export class InstalledModels {
  readonly #layout: StoreLayout
  readonly #log: Logger | undefined
  /** By path. */
  readonly #read = new Map<string, ReadManifest>()

  constructor(layout: StoreLayout, log: Logger | undefined) {
    this.#layout = layout
    this.#log = log
  }

  /** All of them, in no order. */
  async list(): Promise<readonly InstalledModel[]> {
    const models: InstalledModel[] = []
    for (const { path, name } of await this.#places()) {
      const model = await this.#readAt(path, name)
      if (model !== undefined) models.push(model)
    }
    return models
  }

  /**
   * Blobs that models need, but for the one of that name. What a manifest names that is damaged, or from a later version, counts.
   * @throws the file system's error where one cannot be read
   */
  async digestsBeside(name: ModelName | undefined): Promise<ReadonlySet<string>> {
    const used = new Set<string>()
    for (const place of await this.#places()) {
      if (name !== undefined && isSameName(place.name, name)) continue
      const text = await Bun.file(place.path).slice(0, MAX_MANIFEST_BYTES).text()
      for (const [digest] of text.matchAll(/sha256:[0-9a-f]{64}/g)) used.add(digest)
    }
    return used
  }

  /** The model of that name in upper or lower case; the same case comes first. */
  async find(name: ModelName): Promise<InstalledModel | undefined> {
    const place = await this.#placeOf(name)
    return place === undefined ? undefined : await this.#readAt(place.path, place.name)
  }

  /** Replaces what has that name, in whatever case. To be called under the store's lock. */
  async write(name: ModelName, manifest: Manifest): Promise<InstalledModel> {
    const place = (await this.#placeOf(name)) ?? { name, path: this.#pathOf(name) }
    await using workspace = await openWorkspace(this.#layout.temporary)
    const temporary = join(workspace.path, "manifest")
    await syncedWrite(temporary, printManifest(manifest))
    await mkdir(dirname(place.path), { recursive: true })
    await rename(temporary, place.path)
    const { mtime } = await stat(place.path)
    return { name: place.name, manifest, id: manifestId(manifest), installedAt: mtime }
  }

  /** To be called under the store's lock. */
  async delete(name: ModelName): Promise<void> {
    const path = this.#pathOf(name)
    await rm(path, { force: true })
    let folder = dirname(path)
    try {
      for (let depth = 0; depth < 3; depth++, folder = dirname(folder)) await rmdir(folder)
    } catch {
      // There is something else in it, and so there is in its parents.
    }
  }

  #pathOf({ host, namespace, model, tag }: ModelName): string {
    return join(this.#layout.manifests, host, namespace, model, tag + EXTENSION)
  }

  /**
   * Where a name's manifest is, or would be: folders that are there already in another case are used. It costs the same
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
    const places: ManifestPlace[] = []
    for (const [host, hostFolder] of await this.#entries(this.#layout.manifests)) {
      for (const [namespace, namespaceFolder] of await this.#entries(hostFolder)) {
        for (const [model, modelFolder] of await this.#entries(namespaceFolder)) {
          for (const [file, path] of await this.#entries(modelFolder)) {
            const name = nameOf(host, namespace, model, file)
            if (name !== undefined) places.push({ path, name })
          }
        }
      }
    }
    return places
  }

  async #entries(folder: string): Promise<readonly (readonly [name: string, path: string])[]> {
    const entries = await readdir(folder).catch(() => [])
    return entries.map((entry) => [entry, join(folder, entry)] as const)
  }

  async #readAt(path: string, name: ModelName): Promise<InstalledModel | undefined> {
    const stats = await stat(path).catch(() => undefined)
    if (stats?.isFile() !== true) return undefined
    const stamp = `${stats.ino}:${stats.size}:${stats.mtimeMs}`
    const known = this.#read.get(path)
    if (known?.stamp === stamp) return known.model
    const model = await this.#parse(path, name, stats.mtime)
    this.#read.set(path, { stamp, model })
    return model
  }

  async #parse(path: string, name: ModelName, installedAt: Date): Promise<InstalledModel | undefined> {
    try {
      const manifest = await parseManifest(
        await Bun.file(path)
          .slice(0, MAX_MANIFEST_BYTES + 1)
          .bytes(),
      )
      return { name, manifest, id: manifestId(manifest), installedAt }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#log?.warn("damaged manifest", { path, reason })
      return undefined
    }
  }
}

function nameOf(host: string, namespace: string, model: string, file: string): ModelName | undefined {
  if (!file.endsWith(EXTENSION)) return undefined
  return nameOfParts(host, namespace, model, file.slice(0, -EXTENSION.length))
}
