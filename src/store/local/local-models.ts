import { lstat, readdir, realpath, rm, stat } from "node:fs/promises"
import { basename, dirname, join, resolve, sep } from "node:path"
import type { AttachedPart } from "../../domain/attached-parts"
import type { ModelSummary } from "../../domain/model"
import { InvalidModelFile, ModelNotFound } from "../../errors/model"
import { InvalidRequest } from "../../errors/request"
import { FileFailed } from "../../errors/store"
import { ggufFault } from "../../formats/gguf/read"
import { mayBeDiffusion } from "../../formats/image/checkpoint"
import { mapSome } from "../../lib/async/map-some"
import { systemCode } from "../../lib/system/system-reason"
import type { Logger } from "../../log/logger"
import { idOf } from "./file-version"
import { FolderListings } from "./folder-listings"
import type { MediaFiles } from "./media-file"
import { ggufModelKind, isModel, type ModelFiles } from "./model-file"
import type { ProjectorFiles } from "./projector-files"
import { type FoundModel, modelOfFile, modelOfMedia, NamedFiles, scanModelsFolder } from "./scan"

/** A model used in place. */
export interface LocalModel {
  readonly found: FoundModel
  readonly summary: ModelSummary
}

/** Readers of models' files. */
interface LocalFiles {
  readonly files: ModelFiles
  readonly media: MediaFiles
  readonly projectors: ProjectorFiles
}

/** Why a file or folder that looks like a model cannot be used. */
interface Refusal {
  readonly refusal: string
}

/** A file or folder that looks like a model but cannot be used, and why. */
export interface RefusedModel extends Refusal {
  readonly found: FoundModel
}

/** The files placed in the models folder, and those added by path. */
export class LocalModels {
  readonly #modelsFolder: string
  readonly #files: ModelFiles
  readonly #media: MediaFiles
  readonly #projectors: ProjectorFiles
  readonly #log: Logger | undefined
  /** Reasons already logged. */
  readonly #reported = new Set<string>()
  readonly #listings = new FolderListings()
  readonly #namedFiles = new NamedFiles()
  /** By name; they take precedence over files of the same name in the folder. */
  readonly #added = new Map<string, FoundModel>()

  constructor(modelsFolder: string, { files, media, projectors }: LocalFiles, log: Logger | undefined) {
    this.#modelsFolder = modelsFolder
    this.#log = log
    this.#files = files
    this.#media = media
    this.#projectors = projectors
  }

  /** All of them, unordered. Unusable ones, and those whose name is taken, are left out and logged once. */
  async list(): Promise<readonly LocalModel[]> {
    const found = await this.#found()
    for (const [path, reason] of this.#listings.problems) this.#report(path, unreadable(path, reason))
    const models = await mapSome(found, (one) => this.#inspect(one))
    const byName = new Map<string, LocalModel>()
    for (const [index, model] of models.entries()) {
      const { path = "", name = "" } = found[index] ?? {}
      const namesake = byName.get(name)
      if (model === undefined) continue
      if ("refusal" in model) this.#report(path, model.refusal)
      else if (namesake === undefined) byName.set(name, model)
      else this.#report(path, `${namesake.found.path} has the same name; rename one of them`)
    }
    return [...byName.values()]
  }

  #report(path: string, reason: string): void {
    const entry = `${path}\n${reason}`
    if (this.#reported.has(entry)) return
    this.#reported.add(entry)
    this.#log?.warn("unusable model", { path, reason })
  }

  /**
   * The model of that name, ignoring case, an exact match first; or why it cannot be used. Reads no other model's
   * files.
   */
  async find(name: string): Promise<LocalModel | RefusedModel | undefined> {
    const lower = name.toLowerCase()
    const named = (await this.#found()).filter((found) => found.name.toLowerCase() === lower)
    let refused: RefusedModel | undefined
    for (const found of named.sort((a, b) => Number(b.name === name) - Number(a.name === name))) {
      const model = await this.#inspect(found)
      if (model !== undefined && !("refusal" in model)) return model
      if (model !== undefined) refused ??= { ...model, found }
    }
    return refused
  }

  /** @throws ModelNotFound, InvalidModelFile, InvalidRequest, FileFailed */
  async add(path: string): Promise<ModelSummary> {
    const found = await locate(path)
    const listed = await this.#withPath(found.path)
    if (listed !== undefined) return listed.summary
    const why = found.form === "gguf" ? await this.#whyNoGguf(found) : undefined
    if (why !== undefined) throw new InvalidModelFile(path, why)
    const model = await this.#inspect({ ...found, name: this.#freeName(found) })
    if (model === undefined) throw new InvalidModelFile(path, await nothingIn(found))
    if ("refusal" in model) throw new InvalidModelFile(path, withoutPath(model.refusal, found.path))
    this.#added.set(model.found.name, model.found)
    return model.summary
  }

  async #whyNoGguf(found: FoundModel): Promise<string | undefined> {
    const file = await this.#files.inspect(found)
    if (file.kind === undefined) return ggufFault(found.path) ?? "it is not a GGUF file"
    return isModel(file) ? undefined : "it is a part of another model, not a model itself"
  }

  async #found(): Promise<readonly FoundModel[]> {
    const isMedia = async ({ path }: FoundModel) => (await this.#media.inspect(path)).finding.is !== "nothing"
    const tooMany = (reason: string) => {
      if (this.#reported.has(reason)) return
      this.#reported.add(reason)
      this.#log?.warn("models directory too large", { path: this.#modelsFolder, reason })
    }
    const inFolder = await scanModelsFolder(
      this.#modelsFolder,
      this.#listings,
      isMedia,
      tooMany,
      this.#namedFiles,
    )
    const others = inFolder.filter(({ name }) => !this.#added.has(name))
    // Of files that differ only in extension, the extension known to every program comes first.
    const isUsual = ({ path }: FoundModel) => path.endsWith(".gguf")
    return [...this.#added.values(), ...others.sort((a, b) => Number(isUsual(b)) - Number(isUsual(a)))]
  }

  #inspect(found: FoundModel): Promise<LocalModel | Refusal | undefined> {
    // In the words in which the folder's problems are reported, so that there is one report.
    const problem = this.#listings.problems.get(found.path)
    if (problem !== undefined) return Promise.resolve({ refusal: unreadable(found.path, problem) })
    return found.form === "gguf" ? this.#inspectGguf(found) : this.#inspectMedia(found)
  }

  async #inspectGguf(found: FoundModel): Promise<LocalModel | Refusal | undefined> {
    const file = await this.#files.inspect(found).catch(refusalOf)
    if ("refusal" in file) return file
    if (!isModel(file)) return undefined
    const imageModel = mayBeDiffusion(file.kind?.architecture) ? await this.#inspectMedia(found) : undefined
    if (imageModel !== undefined) return imageModel
    const { id, sizeBytes, modifiedAt } = file
    const { name, path } = found
    const summary = { name, kind: ggufModelKind(file), path, id, sizeBytes, modifiedAt }
    const projector = summary.kind === "text" ? await this.#projectorOf(found) : undefined
    return { found, summary: projector === undefined ? summary : withProjector(summary, projector) }
  }

  async #inspectMedia(found: FoundModel): Promise<LocalModel | Refusal | undefined> {
    const { finding, sizeBytes, modifiedMs } = await this.#media.inspect(found.path)
    switch (finding.is) {
      case "model": {
        const { id, description } = finding
        const { name, path } = found
        const { kind } = description
        return { found, summary: { name, kind, path, id, sizeBytes, modifiedAt: new Date(modifiedMs) } }
      }
      case "refused":
        return { refusal: finding.reason }
      case "nothing":
        return undefined
      default:
        return finding satisfies never
    }
  }

  /** The projector that lies beside a text model. */
  async #projectorOf(found: FoundModel): Promise<AttachedPart | undefined> {
    const folder = dirname(found.path)
    const entries = await this.#listings.entries(folder, new Set())
    const names = entries.filter(({ kind }) => kind === "file").map(({ name }) => name)
    const isShared = folder === resolve(this.#modelsFolder)
    return await this.#projectors.besideModel(found.path, names, { isShared }, () =>
      // The load reports what is wrong with it.
      this.#files.describe(found).catch(() => undefined),
    )
  }

  /**
   * Deletes a local model's files, and its projector unless other models use it; of a link only the link. Returns the
   * deleted paths.
   * @throws InvalidRequest where the files are outside the models folder, and so not xLLM's to delete
   */
  async delete(found: FoundModel, parts: readonly AttachedPart[] = []): Promise<readonly string[]> {
    const folder = await realpath(dirname(found.path))
    const root = await realpath(this.#modelsFolder).catch(() => undefined)
    if (root === undefined || !`${folder}${sep}`.startsWith(`${root}${sep}`)) {
      throw new InvalidRequest(
        `model '${found.name}' is ${found.path}, outside the models directory; delete it there`,
        "model",
      )
    }
    const isThere = await Promise.all(
      found.paths.map((path) =>
        lstat(path).then(
          () => true,
          () => false,
        ),
      ),
    )
    const used = new Set(
      (await this.list())
        .filter((other) => other.found.path !== found.path)
        .flatMap(({ summary }) => (summary.parts ?? []).map(({ path }) => path)),
    )
    const own = parts.map(({ path }) => path).filter((path) => !used.has(path))
    const paths = [...found.paths.filter((_, index) => isThere[index]), ...own]
    for (const path of paths) await rm(path, { recursive: true, force: true })
    return paths
  }

  /** Two added files of one name are distinguished by their folders. */
  #freeName(found: FoundModel): string {
    const withFolder = `${basename(dirname(found.path))}/${found.name}`
    const free = [found.name, withFolder].find((name) => !this.#added.has(name))
    if (free !== undefined) return free
    throw new InvalidRequest(`a model '${withFolder}' already exists; rename ${found.path}`, "model")
  }

  async #withPath(path: string): Promise<LocalModel | undefined> {
    const place = await placeOf(path)
    for (const model of await this.list()) {
      if ((await placeOf(model.found.path)) === place) return model
    }
    return undefined
  }
}

/** With other content, another version: a loaded model has it too. */
function withProjector(summary: ModelSummary, projector: AttachedPart): ModelSummary {
  return {
    ...summary,
    id: idOf([`${summary.id}\n${projector.name}\n${projector.digest}`]),
    sizeBytes: summary.sizeBytes + projector.sizeBytes,
    parts: [projector],
  }
}

/** The folder entry that a path leads to: two links to one file are two models, each with its own name. */
async function placeOf(path: string): Promise<string> {
  const folder = await realpath(dirname(path)).catch(() => dirname(path))
  return join(folder, basename(path))
}

function unreadable(path: string, reason: string): string {
  return `cannot read ${path}: ${reason}`
}

async function nothingIn({ path, paths }: FoundModel): Promise<string> {
  if (paths.length > 1) return "no supported model found in this file"
  const names = await readdir(path).catch(() => [])
  const one = names.find((name) => /\.gguf$/i.test(name))
  const hint =
    one === undefined ? "" : `; its GGUF files are models of their own: name one, such as ${join(path, one)}`
  return `no supported model found in this folder${hint}`
}

/** For a file that cannot be read. @throws `error` where it is another one */
function refusalOf(error: unknown): Refusal {
  if (error instanceof FileFailed) return { refusal: error.message }
  throw error
}

/** Why something is refused, to follow its path: files are named relative to the folder. */
function withoutPath(refusal: string, path: string): string {
  return refusal.replace(`${path}: `, "").replace(`${path}/`, "")
}

async function locate(path: string): Promise<FoundModel> {
  const absolute = resolve(path)
  const stats = await stat(absolute).catch((error: unknown) => {
    if (!["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) throw new FileFailed("read", path, error)
    return undefined
  })
  if (stats?.isDirectory() || (stats?.isFile() && /\.(onnx|safetensors)$/i.test(absolute))) {
    return modelOfMedia(absolute)
  }
  const found = modelOfFile(absolute)
  const first = await stat(found.path).catch(() => undefined)
  if (first === undefined) throw new ModelNotFound(path, ": no such file")
  if (!first.isFile()) throw new InvalidModelFile(path, "it is not a file")
  return found
}
