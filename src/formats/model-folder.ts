import { readdir, realpath, stat } from "node:fs/promises"
import { basename, join } from "node:path"

/** A file of a model. */
export interface ModelFolderFile {
  /** Relative to the model, with `/` as the separator. */
  readonly name: string
  /** The path to read it from. */
  readonly path: string
  readonly sizeBytes: number
}

/** The files of a model, before any is read. */
export interface ModelFolder {
  /** Sorted by name. */
  readonly files: readonly ModelFolderFile[]
}

/** The largest tree in published models is espeak-ng's data, three levels deep with about 400 files. */
const MAX_DEPTH = 8
const MAX_FILES = 20_000

/**
 * The files in the folder at `path` and below, without hidden ones; for a single file that file, and the
 * `NAME.json` beside it that describes Piper voices. Unreadable files are skipped.
 */
export async function readModelFolder(path: string): Promise<ModelFolder> {
  const files: ModelFolderFile[] = []
  const stats = await stat(path).catch(() => undefined)
  if (stats?.isDirectory()) await addFolder(files, path, "", MAX_DEPTH, new Set())
  else for (const each of [path, `${path}.json`]) await addFile(files, each, basename(each))
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

async function addFolder(
  files: ModelFolderFile[],
  folder: string,
  prefix: string,
  depth: number,
  visited: Set<string>,
): Promise<void> {
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined || visited.has(real)) return
  visited.add(real)
  for (const entry of await readdir(folder).catch(() => [])) {
    if (entry.startsWith(".") || files.length >= MAX_FILES) continue
    const path = join(folder, entry)
    const isFile = await addFile(files, path, prefix + entry)
    if (!isFile && depth > 1) await addFolder(files, path, `${prefix}${entry}/`, depth - 1, visited)
  }
}

async function addFile(files: ModelFolderFile[], path: string, name: string): Promise<boolean> {
  // stat instead of the directory entry's type: links count as their target.
  const stats = await stat(path).catch(() => undefined)
  if (stats?.isFile()) files.push({ name, path, sizeBytes: stats.size })
  return stats?.isFile() ?? false
}
