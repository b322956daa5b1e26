import { basename, dirname, join } from "node:path"
import { parseSplitName, splitFileName } from "../formats/gguf/split"
import type { FolderListings } from "./folder-listings"
import { RESERVED_NAMES } from "./layout"

/** A model's place on disk, before anything of it was read. */
export interface FoundModel {
  /** Path below the models folder with `/` between folders, without `.gguf` and split number. */
  readonly name: string
  /** The file to load: the first one of a split model. */
  readonly path: string
  /** All files of the model, in order; more than one for a split model. */
  readonly paths: readonly string[]
}

const EXTENSION = ".gguf"
/** Deep enough for publisher/repository/quantisation, and an end to links that go round in a circle. */
const MAX_DEPTH = 5

/**
 * Every model file in a folder and the folders below it; hidden ones are left out, and the store's own. What cannot be
 * read, and a folder that is not there, counts as empty.
 */
export async function scanModelsFolder(folder: string, listings: FolderListings): Promise<FoundModel[]> {
  const found: FoundModel[] = []
  await scanInto({ found, listings, visited: new Set() }, folder, "", MAX_DEPTH)
  return found
}

/** The model that a file belongs to, named after the file alone. */
export function modelOfFile(path: string): FoundModel {
  const file = basename(path)
  const split = parseSplitName(file)
  if (split === undefined) return { name: withoutExtension(file), path, paths: [path] }
  const paths = Array.from({ length: split.parts }, (_, index) =>
    join(dirname(path), splitFileName(split, index + 1)),
  )
  return { name: split.stem, path: paths[0] ?? path, paths }
}

interface Scan {
  readonly found: FoundModel[]
  readonly listings: FolderListings
  readonly visited: Set<string>
}

async function scanInto(scan: Scan, folder: string, prefix: string, depth: number): Promise<void> {
  for (const { name, kind } of await scan.listings.entries(folder, scan.visited)) {
    if (prefix === "" && RESERVED_NAMES.has(name)) continue
    const path = join(folder, name)
    if (kind === "folder") {
      if (depth > 1) await scanInto(scan, path, `${prefix}${name}/`, depth - 1)
    } else if (name.endsWith(EXTENSION) && (parseSplitName(name)?.part ?? 1) === 1) {
      const model = modelOfFile(path)
      scan.found.push({ ...model, name: prefix + model.name })
    }
  }
}

function withoutExtension(file: string): string {
  return file.endsWith(EXTENSION) ? file.slice(0, -EXTENSION.length) : file
}
