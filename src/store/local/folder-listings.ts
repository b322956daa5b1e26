import { type Dirent, lstatSync } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { reasonOf } from "../../errors/base"
import { systemCode } from "../../lib/system/system-reason"

/** Something in a folder. Links count as what they point to; what it is is not known where that cannot be looked at. */
export interface FolderEntry {
  readonly name: string
  readonly kind: "file" | "folder" | "unknown"
}

interface Listing {
  readonly stamp: string
  readonly entries: readonly Dirent[]
}

/**
 * A folder that changed less than this before it was read may have changed again without another time: file systems
 * count in steps of up to two seconds.
 */
const SETTLED_MS = 2000

/** Remembers what is in folders for as long as they stay as they are: looking again costs one stat call. */
export class FolderListings {
  /** By path. */
  readonly #listings = new Map<string, Listing>()
  /** Why folders, and what links lead to, cannot be read, by path. */
  readonly #problems = new Map<string, string>()

  /** What could not be read when it was last looked at, by path. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems
  }

  /**
   * What is in a folder but for hidden things and what is neither file nor folder; nothing where it cannot be read.
   * `visited`: folders that were looked at, which are not looked at again; the one at `path` is added.
   */
  async entries(path: string, visited: Set<string>): Promise<readonly FolderEntry[]> {
    const stats = await stat(path, { bigint: true }).catch((error: unknown) => this.#tell(path, error))
    const place = `${stats?.dev}:${stats?.ino}`
    if (stats?.isDirectory() !== true || visited.has(place)) return []
    visited.add(place)
    const stamp = `${place}:${stats.mtimeNs}`
    const known = this.#listings.get(path)
    if (known?.stamp === stamp) return await this.#resolved(path, known.entries)
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) =>
      this.#tell(path, error),
    )
    if (entries === undefined) return []
    this.#problems.delete(path)
    const shown = entries.filter(({ name }) => !name.startsWith("."))
    const isSettled = Date.now() - Number(stats.mtimeMs) > SETTLED_MS
    if (isSettled) this.#listings.set(path, { stamp, entries: shown })
    else this.#listings.delete(path)
    return await this.#resolved(path, shown)
  }

  async #resolved(folder: string, entries: readonly Dirent[]): Promise<readonly FolderEntry[]> {
    const kinds = await Promise.all(entries.map((entry) => this.#kindOf(folder, entry)))
    return entries.flatMap(({ name }, index) => {
      const kind = kinds[index]
      return kind === undefined ? [] : [{ name, kind }]
    })
  }

  async #kindOf(folder: string, entry: Dirent): Promise<FolderEntry["kind"] | undefined> {
    if (entry.isFile()) return "file"
    if (entry.isDirectory()) return "folder"
    // A link, which can point to something else without a change of the folder, or a file system that tells no types.
    const path = join(folder, entry.name)
    try {
      const stats = await stat(path)
      this.#problems.delete(path)
      if (stats.isFile()) return "file"
      return stats.isDirectory() ? "folder" : undefined
    } catch (error) {
      this.#tell(path, error)
      return "unknown"
    }
  }

  /** That something is not there is no problem, but for a link that leads to it. */
  #tell(path: string, error: unknown): undefined {
    const isMissing = systemCode(error) === "ENOENT"
    if (isMissing && !isLink(path)) this.#problems.delete(path)
    else this.#problems.set(path, isMissing ? "the link leads to nothing" : reasonOf(error))
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}
