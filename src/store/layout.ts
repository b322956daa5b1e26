import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { StoreBusy } from "../errors/store"
import { type FileLock, lockFile } from "../lib/system/file-lock"
import { writeFailure } from "./file-failure"
import type { Digest } from "./managed/manifest"

/** Paths below the models folder. */
export interface StoreLayout {
  readonly root: string
  /** `sha256-<hex>`: every file of the installed models, stored once. */
  readonly blobs: string
  /** `<host>/<namespace>/<model>/<tag>.json`: the manifests of the installed models. */
  readonly manifests: string
  /** Resumable downloads. */
  readonly partial: string
  /** `<id>/<name>`: models of several files, assembled from blobs. */
  readonly views: string
  /** Files that workers derive from models; can be rebuilt. */
  readonly derived: string
  /** Unfinished files; see {@link openWorkspace}. */
  readonly temporary: string
  /** Metadata read from models' files; can be rebuilt. */
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

/** Longer than any work under the lock: nothing is hashed or downloaded there. */
const LOCK_PATIENCE_MS = 30_000

export function layoutOf(modelsFolder: string): StoreLayout {
  const at = Object.entries(FOLDERS).map(([key, name]) => [key, join(modelsFolder, name)])
  // The same keys, each with a path.
  const index = join(modelsFolder, "index.sqlite")
  return { root: modelsFolder, index, ...(Object.fromEntries(at) as Record<keyof typeof FOLDERS, string>) }
}

/** The path of a blob: `sha256:ab…` is the file `sha256-ab…`. */
export function blobPath({ blobs }: StoreLayout, digest: Digest): string {
  return join(blobs, digest.replace(":", "-"))
}

/**
 * Takes the lock that guards manifests and blobs against other processes and other work of this one. On file
 * systems without locks it protects nothing: better than no store at all.
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

/**
 * The first step of every change to the folder. @throws ModelsFolderUnwritable; FileFailed where the disk is full
 */
async function atFirst<T>(root: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    throw writeFailure(root, error, { root })
  }
}

/** Do locks work on this file system? */
export async function canLock(root: string): Promise<boolean> {
  const path = join(root, `.lock-${crypto.randomUUID()}`)
  using lock = await lockFile(path, 0)
  await rm(path, { force: true })
  return lock.held
}
