import { readdir, realpath, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { parseSplitName, splitFileName } from "../formats/gguf/split"
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
 * Every model file in a folder and the folders below it; hidden ones are left out, and the store's own. What cannot be read, and a folder
 * that is not there, counts as empty.
 */
export async function scanModelsFolder(folder: string): Promise<FoundModel[]> {
  const found: FoundModel[] = []
  await scanInto(found, folder, "", MAX_DEPTH, new Set())
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

async function scanInto(
  found: FoundModel[],
  folder: string,
  prefix: string,
  depth: number,
  visited: Set<string>,
): Promise<void> {
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined || visited.has(real)) return
  visited.add(real)
  for (const entry of await readdir(folder).catch(() => [])) {
    if (entry.startsWith(".") || (prefix === "" && RESERVED_NAMES.has(entry))) continue
    const path = join(folder, entry)
    // stat and not the directory entry's type: links to files and folders count as what they point to.
    const stats = await stat(path).catch(() => undefined)
    if (stats?.isDirectory() && depth > 1) {
      await scanInto(found, path, `${prefix}${entry}/`, depth - 1, visited)
    } else if (stats?.isFile() && entry.endsWith(EXTENSION) && (parseSplitName(entry)?.part ?? 1) === 1) {
      const model = modelOfFile(path)
      found.push({ ...model, name: prefix + model.name })
    }
  }
}

function withoutExtension(file: string): string {
  return file.endsWith(EXTENSION) ? file.slice(0, -EXTENSION.length) : file
}
