import { type Dirent } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { reasonOf } from "../errors"
import { systemCode } from "../lib/system-reason"

/** Something in a folder. Links count as what they point to. */
export interface FolderEntry {
  readonly name: string
  readonly kind: "file" | "folder"
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

const GONE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"])

/** Remembers what is in folders for as long as they stay as they are: looking again costs one stat call. */
export class FolderListings {
  /** By path. */
  readonly #listings = new Map<string, Listing>()
  readonly #tellOf: (path: string, reason: string) => void

  /** `tellOf` hears of every folder that is there and cannot be read, each time it is looked at. */
  constructor(tellOf: (path: string, reason: string) => void) {
    this.#tellOf = tellOf
  }

  /**
   * What is in a folder but for hidden things and what is neither file nor folder; nothing where it cannot be read.
   * `visited`: folders that were looked at, which are not looked at again; the one at `path` is added.
   */
  async entries(path: string, visited: Set<string>): Promise<readonly FolderEntry[]> {
    const stats = await stat(path, { bigint: true }).catch((error: unknown) => this.#lost(path, error))
    const place = `${stats?.dev}:${stats?.ino}`
    if (stats?.isDirectory() !== true || visited.has(place)) return []
    visited.add(place)
    const stamp = `${place}:${stats.mtimeNs}`
    const known = this.#listings.get(path)
    if (known?.stamp === stamp) return await resolved(path, known.entries)
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) =>
      this.#lost(path, error),
    )
    if (entries === undefined) return []
    const shown = entries.filter(({ name }) => !name.startsWith("."))
    const isSettled = Date.now() - Number(stats.mtimeMs) > SETTLED_MS
    if (isSettled) this.#listings.set(path, { stamp, entries: shown })
    else this.#listings.delete(path)
    return await resolved(path, shown)
  }

  /** What is not there, or no longer, is nothing to speak of. */
  #lost(path: string, error: unknown): undefined {
    if (!GONE.has(systemCode(error) ?? "")) this.#tellOf(path, `it cannot be read: ${reasonOf(error)}`)
  }
}

async function resolved(folder: string, entries: readonly Dirent[]): Promise<readonly FolderEntry[]> {
  const kinds = await Promise.all(entries.map((entry) => kindOf(folder, entry)))
  return entries.flatMap(({ name }, index) => {
    const kind = kinds[index]
    return kind === undefined ? [] : [{ name, kind }]
  })
}

async function kindOf(folder: string, entry: Dirent): Promise<FolderEntry["kind"] | undefined> {
  if (entry.isFile()) return "file"
  if (entry.isDirectory()) return "folder"
  // A link, which can point to something else without a change of the folder, or a file system that tells no types.
  const stats = await stat(join(folder, entry.name)).catch(() => undefined)
  if (stats?.isFile()) return "file"
  return stats?.isDirectory() ? "folder" : undefined
}
