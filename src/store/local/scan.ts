import { basename, join } from "node:path"
import { parseSplitName, partPaths } from "../../formats/gguf/split"
import { MODELS_FOLDER } from "../../limits"
import { RESERVED_NAMES } from "../layout"
import type { FolderEntry, FolderListings } from "./folder-listings"

/** A model's location on disk, before anything is read. */
export interface FoundModel {
  /** `media`: whether and what it is shows only when its files are read. */
  readonly form: "gguf" | "media"
  /** Path below the models folder with `/` between folders, without `.gguf` (or similar) and split number. */
  readonly name: string
  /** What a worker loads: a file, the first one of a split model, or a folder. */
  readonly path: string
  /** All files of the model, in order; only the folder itself for a folder. */
  readonly paths: readonly string[]
}

const EXTENSION = /\.gguf$/i
/** Graphs and weights of tts, asr and image models. */
const MEDIA_FILE = /\.(onnx|ort|safetensors)$|^model\.bin$/i
/** Files that can be a whole model alone, or with the JSON next to them. */
const SINGLE_FILE = /\.(onnx|safetensors)$/i
/** Deep enough for publisher/repository/quantisation, and a bound for circular links. */
const MAX_DEPTH = 5

/** What files are by their names, by path of the folder: working it out again takes longer than asking the disk. */
export class NamedFiles {
  readonly #folders = new Map<string, Map<string, NamedFile>>()

  /** The files of a folder that has these entries now. */
  of(folder: string, entries: readonly FolderEntry[]): readonly NamedFile[] {
    const known = this.#folders.get(folder)
    const files = new Map<string, NamedFile>()
    for (const { name } of entries) files.set(name, known?.get(name) ?? namedFile(folder, name))
    this.#folders.delete(folder)
    this.#folders.set(folder, files)
    const [oldest] = this.#folders.keys()
    if (this.#folders.size > FOLDERS_REMEMBERED && oldest !== undefined) this.#folders.delete(oldest)
    return entries.flatMap(({ name }) => files.get(name) ?? [])
  }
}

/** Each has few files where there are many. */
const FOLDERS_REMEMBERED = 1024

/** A file or folder, and the model that it can be. */
interface NamedFile {
  readonly path: string
  /** Whatever lies next to it. */
  readonly model: FoundModel | undefined
}

function namedFile(folder: string, name: string): NamedFile {
  const path = join(folder, name)
  return { path, model: modelInFile(path, false) }
}

/**
 * Finds every model file in a folder and below, except hidden files and the store's own. Unreadable and missing
 * folders count as empty.
 * @param isMedia whether the files of a folder form one model that is not a text model
 * @param tooMany called with the reason where the scan is incomplete
 * @param files remembered from one scan to the next
 */
export async function scanModelsFolder(
  folder: string,
  listings: FolderListings,
  isMedia: (found: FoundModel) => Promise<boolean>,
  tooMany: (reason: string) => void,
  files = new NamedFiles(),
): Promise<FoundModel[]> {
  const scan: Scan = { found: [], listings, isMedia, visited: new Set(), entries: 0, files }
  await scanInto(scan, folder, "", MAX_DEPTH)
  const { models, entries } = MODELS_FOLDER
  if (scan.entries > entries)
    tooMany(`it has more than ${entries} files and folders; the others are left out`)
  if (scan.found.length > models) tooMany(`it has more than ${models} models; the others are left out`)
  return scan.found.slice(0, models)
}

/** The model of a GGUF file, named after the file alone. */
export function modelOfFile(path: string): FoundModel {
  const file = basename(path)
  const name = parseSplitName(file)?.stem ?? file.replace(EXTENSION, "")
  const paths = partPaths(path)
  return { form: "gguf", name, path: paths[0] ?? path, paths }
}

/** A possible tts, asr or image model: a folder, or a file with the JSON that describes it. */
export function modelOfMedia(path: string): FoundModel {
  const name = basename(path).replace(SINGLE_FILE, "")
  return { form: "media", name, path, paths: SINGLE_FILE.test(path) ? [path, `${path}.json`] : [path] }
}

interface Scan {
  readonly found: FoundModel[]
  readonly listings: FolderListings
  readonly visited: Set<string>
  /** The number of entries examined. */
  entries: number
  readonly isMedia: (found: FoundModel) => Promise<boolean>
  readonly files: NamedFiles
}

async function scanInto(scan: Scan, folder: string, prefix: string, depth: number): Promise<void> {
  const entries = await scan.listings.entries(folder, scan.visited)
  if (prefix !== "" && isOneModel(entries)) {
    const model = { ...modelOfMedia(folder), name: prefix.slice(0, -1), paths: [folder] }
    if (await scan.isMedia(model)) {
      scan.found.push(model)
      return
    }
  }
  // Computed once for all of them: a folder may have thousands.
  const isDescribed = hasDescription(entries)
  const files = scan.files.of(folder, entries)
  for (const [index, { name, kind }] of entries.entries()) {
    scan.entries++
    if (scan.entries > MODELS_FOLDER.entries || scan.found.length > MODELS_FOLDER.models) return
    if (prefix === "" && RESERVED_NAMES.has(name)) continue
    const file = files[index]
    if (file === undefined) continue
    if (kind === "folder") {
      if (depth > 1) await scanInto(scan, file.path, `${prefix}${name}/`, depth - 1)
      continue
    }
    // A file that cannot be examined is judged by its name; using it reports why.
    const model = isDescribed({ name, kind }) ? modelInFile(file.path, true) : file.model
    if (model !== undefined) scan.found.push({ ...model, name: prefix + model.name })
  }
}

/**
 * May a folder be one model? Several tts models side by side are several models. Repositories on Hugging Face often have
 * their graphs one level down, in a folder `onnx`.
 */
function isOneModel(entries: readonly FolderEntry[]): boolean {
  if (entries.some(({ name, kind }) => kind === "folder" && name === "onnx")) return true
  const files = entries.filter(({ kind }) => kind === "file")
  return files.some(({ name }) => MEDIA_FILE.test(name)) && files.filter(hasDescription(entries)).length < 2
}

/** Is it a tts model in the form that Piper's authors publish? */
function hasDescription(entries: readonly FolderEntry[]): (file: FolderEntry) => boolean {
  const names = new Set(entries.map(({ name }) => name))
  return ({ name }) => /\.onnx$/i.test(name) && names.has(`${name}.json`)
}

function modelInFile(path: string, isDescribed: boolean): FoundModel | undefined {
  const name = basename(path)
  if (EXTENSION.test(name)) {
    return (parseSplitName(name)?.part ?? 1) === 1 ? modelOfFile(path) : undefined
  }
  const isWhole = /\.safetensors$/i.test(name) || isDescribed
  return isWhole ? modelOfMedia(path) : undefined
}
