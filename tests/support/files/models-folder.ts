import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { ModelSummary } from "../../../src/domain/model"
import { createStore } from "../../../src/store"
import type { Store } from "../../../src/store/contract"
import type { Manifest, ManifestFile } from "../../../src/store/managed/manifest"
import { parseModelName } from "../../../src/store/names"
import { tempFolder } from "../temp-folder"
import { type TinyModelOptions, writeTinyModel } from "./tiny-model"

/** A temporary models folder and its store; removed at the end of the scope. */
export class ModelsFolder implements Disposable {
  readonly #home = tempFolder()
  readonly store: Store
  /** The store's warnings. */
  readonly warnings: { event: string; fields: Readonly<Record<string, unknown>> }[] = []

  constructor() {
    const warn = (event: string, fields = {}) => void this.warnings.push({ event, fields })
    const log = { debug() {}, info() {}, warn, error() {}, child: () => log }
    this.store = createStore({ modelsFolder: this.path, log })
  }

  get home(): string {
    return this.#home.path
  }

  get path(): string {
    return join(this.home, "models")
  }

  /** Installs a model that consists of text files, by file name. */
  async install(
    name: string,
    files: Readonly<Record<string, string>>,
    change: Partial<Manifest> = {},
  ): Promise<ModelSummary> {
    const parts: ManifestFile[] = []
    for (const [fileName, text] of Object.entries(files)) {
      const blob = await this.store.blobs.addBytes(new TextEncoder().encode(text))
      parts.push({ name: fileName, role: "model", ...blob })
    }
    return await this.store.install(parseModelName(name), manifestOf(parts, change))
  }

  /** Installs a text model with valid metadata. */
  async installTiny(name: string, options: TinyModelOptions = {}): Promise<ModelSummary> {
    const path = join(this.home, "tiny.gguf")
    await writeTinyModel(path, { layers: 1, ...options })
    const blob = await this.store.blobs.addFile(path, { move: true })
    const file: ManifestFile = { name: "tiny.gguf", role: "model", ...blob }
    return await this.store.install(parseModelName(name), manifestOf([file]))
  }

  /** Names of the files below the models folder, except hidden ones and the metadata cache. */
  files(folder = ""): readonly string[] {
    const path = join(this.path, folder)
    if (!existsSync(path)) return []
    const all = readdirSync(path, { recursive: true, withFileTypes: true })
    const names = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    return names
      .map((name) => name.slice(path.length + 1))
      .filter((name) => !/^(\.|index\.sqlite)/.test(name))
      .sort()
  }

  async names(): Promise<readonly string[]> {
    return (await this.store.list()).map(({ name }) => name).sort()
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]()
  }
}

export function manifestOf(files: readonly ManifestFile[], change: Partial<Manifest> = {}): Manifest {
  return { version: 1, kind: "text", createdAt: "2026-01-01T00:00:00Z", files, parameters: {}, ...change }
}
