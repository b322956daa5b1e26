import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { StoreBusy } from "../errors/store"
import { type FileLock, lockFile } from "../lib/system/file-lock"
import { writeFailure } from "./file-failure"
import type { Digest } from "./managed/manifest"

/** Where things are below the models folder. */
export interface StoreLayout {
  readonly root: string
  /** `sha256-<hex>`: every file of an installed model, once. */
  readonly blobs: string
  /** `<host>/<namespace>/<model>/<tag>.json`: what an installed model consists of. */
  readonly manifests: string
  /** Downloads that can be resumed. */
  readonly partial: string
  /** `<id>/<name>`: models of several files, put together out of blobs. */
  readonly views: string
  /** What workers make out of models; can be made again. */
  readonly derived: string
  /** Files that are being made; see {@link openWorkspace}. */
  readonly temporary: string
  /** What was read of models' files; can be read again. */
  readonly index: string
}

const FOLDERS = {
  blobs: "blobs",
  manifests: "manifests",
  partial: "partial",
  views: "views",
  derived: "derived",
  temporary: "tmp",
} as const

/** Names directly below the models folder that no model can have. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(Object.values(FOLDERS))

/** Longer than anything that is done under the lock: nothing is hashed or downloaded there. */
const LOCK_PATIENCE_MS = 30_000

export function layoutOf(modelsFolder: string): StoreLayout {
  const at = Object.entries(FOLDERS).map(([key, name]) => [key, join(modelsFolder, name)])
  // The same keys, each with a path.
  const index = join(modelsFolder, "index.sqlite")
  return { root: modelsFolder, index, ...(Object.fromEntries(at) as Record<keyof typeof FOLDERS, string>) }
}

/** Where a blob is: `sha256:ab…` is the file `sha256-ab…`. */
export function blobPath({ blobs }: StoreLayout, digest: Digest): string {
  return join(blobs, digest.replace(":", "-"))
}

/**
 * Keeps every other process, and other work of this one, from changing manifests and from freeing blobs. Where the file
 * system has no locks nothing is kept from anybody: better than no store at all.
 * @throws StoreBusy, ModelsFolderUnwritable
 */
export async function lockStore({ root }: StoreLayout): Promise<FileLock> {
  const path = join(root, ".lock")
  const lock = await atFirst(root, async () => {
    await mkdir(root, { recursive: true })
    return await lockFile(path, 0)
  })
  if (lock.held || !(await atFirst(root, () => canLock(root)))) return lock
  lock[Symbol.dispose]()
  const waited = await lockFile(path, LOCK_PATIENCE_MS)
  if (waited.held) return waited
  waited[Symbol.dispose]()
  throw new StoreBusy(root)
}

/** Everything that changes the folder begins with this. @throws ModelsFolderUnwritable; FileFailed where the disk is full */
async function atFirst<T>(root: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    throw writeFailure(root, error, { root })
  }
}

/** Whether a lock that nobody has can be had. */
export async function canLock(root: string): Promise<boolean> {
  const path = join(root, `.lock-${crypto.randomUUID()}`)
  using lock = await lockFile(path, 0)
  await rm(path, { force: true })
  return lock.held
}
