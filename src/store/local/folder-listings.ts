import { type Dirent, lstatSync } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { reasonOf } from "../../errors/base"
import { systemCode } from "../../lib/system/system-reason"

/** An entry of a folder. Links count as their target; the kind is unknown where the target cannot be examined. */
export interface FolderEntry {
  readonly name: string
  readonly kind: "file" | "folder" | "unknown"
}

interface Listing {
  readonly stamp: string
  readonly entries: readonly Dirent[]
}

/**
 * A folder that changed less than this before it was read may have changed again with the same timestamp: file
 * systems count in steps of up to two seconds.
 */
const SETTLED_MS = 2000

/** Caches the entries of folders until they change: checking again costs one stat call. */
export class FolderListings {
  /** By path. */
  readonly #listings = new Map<string, Listing>()
  /** Why folders and link targets cannot be read, by path. */
  readonly #problems = new Map<string, string>()

  /** Paths that could not be read the last time, with the reason. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems
  }

  /**
   * The files and folders in a folder, without hidden ones; none where it cannot be read. `visited`: folders
   * already listed, which are not listed again; the one at `path` is added.
   */
  async entries(path: string, visited: Set<string>): Promise<readonly FolderEntry[]> {
    const stats = await stat(path, { bigint: true }).catch((error: unknown) => this.#report(path, error))
    const place = `${stats?.dev}:${stats?.ino}`
    if (stats?.isDirectory() !== true || visited.has(place)) return []
    visited.add(place)
    const stamp = `${place}:${stats.mtimeNs}`
    const known = this.#listings.get(path)
    if (known?.stamp === stamp) return await this.#resolved(path, known.entries)
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) =>
      this.#report(path, error),
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
    // A link, whose target can change without changing the folder, or a file system that reports no types.
    const path = join(folder, entry.name)
    try {
      const stats = await stat(path)
      this.#problems.delete(path)
      if (stats.isFile()) return "file"
      return stats.isDirectory() ? "folder" : undefined
    } catch (error) {
      this.#report(path, error)
      return "unknown"
    }
  }

  /** A missing entry is no problem, unless a link points to it. */
  #report(path: string, error: unknown): undefined {
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
