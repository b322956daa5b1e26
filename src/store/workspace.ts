import { existsSync, rmSync } from "node:fs"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type FileLock, lockFile } from "../lib/system/file-lock"
import type { Digest } from "./managed/manifest"

/** A fresh lock is free at once, unless the sweep of another process is just looking at it. */
const LOCK_PATIENCE_MS = 100
const LOCK_SUFFIX = ".lock"
const HELD_FILE = "held"
/** What {@link openWorkspace} calls a lock; anything else in the folder is somebody else's. */
const OWN_LOCK = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.lock$/

/**
 * A folder for files that are being made, on the file system where they go. It is gone at the end of the scope; that
 * of a process that was killed is removed by {@link sweepWorkspaces}: the kernel has given its lock back.
 */
export async function openWorkspace(temporary: string): Promise<Workspace> {
  await mkdir(temporary, { recursive: true })
  for (;;) {
    const path = join(temporary, crypto.randomUUID())
    const lock = await lockFile(path + LOCK_SUFFIX, LOCK_PATIENCE_MS)
    // A sweep may have removed the file between its creation and the lock.
    if (!existsSync(path + LOCK_SUFFIX)) {
      lock[Symbol.dispose]()
      continue
    }
    const workspace = new Workspace(path, lock)
    try {
      await mkdir(path)
      return workspace
    } catch (error) {
      await workspace[Symbol.asyncDispose]()
      throw error
    }
  }
}

/** A workspace that holds blobs from its beginning; see {@link Workspace.hold}. */
export async function openHolding(temporary: string, digests: readonly Digest[]): Promise<Workspace> {
  const workspace = await openWorkspace(temporary)
  try {
    await workspace.hold(digests)
    return workspace
  } catch (error) {
    await workspace[Symbol.asyncDispose]()
    throw error
  }
}

/** Those of this process. One that ends in the middle of its work leaves nothing behind, unless it is killed. */
const open = new Set<Workspace>()

function removeOpen(): void {
  for (const { path } of open) {
    for (const each of [path, path + LOCK_SUFFIX]) rmSync(each, { recursive: true, force: true })
  }
}

export class Workspace implements AsyncDisposable {
  readonly path: string
  readonly #lock: FileLock

  constructor(path: string, lock: FileLock) {
    this.path = path
    this.#lock = lock
    if (open.size === 0) process.once("exit", removeOpen)
    open.add(this)
  }

  /** Says that these blobs, and no others, are about to be used, as long as the scope lasts; see {@link heldBlobs}. */
  async hold(digests: readonly Digest[]): Promise<void> {
    const fresh = join(this.path, crypto.randomUUID())
    await writeFile(fresh, digests.join("\n"))
    await rename(fresh, join(this.path, HELD_FILE))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    await rm(this.path + LOCK_SUFFIX, { force: true })
    open.delete(this)
    if (open.size === 0) process.off("exit", removeOpen)
    this.#lock[Symbol.dispose]()
  }
}

/** Removes what killed processes left behind. */
export async function sweepWorkspaces(temporary: string): Promise<void> {
  const entries = await readdir(temporary).catch(() => [])
  for (const entry of entries.filter((name) => OWN_LOCK.test(name))) {
    const lockPath = join(temporary, entry)
    using lock = await lockFile(lockPath, 0)
    if (!lock.held) continue
    await rm(lockPath.slice(0, -LOCK_SUFFIX.length), { recursive: true, force: true })
    await rm(lockPath, { force: true })
  }
}

/** Blobs that processes have said they need ({@link Workspace.hold}) although no manifest names them yet. */
export async function heldBlobs(temporary: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(temporary).catch(() => [])
  const lists = entries.map((entry) => readFile(join(temporary, entry, HELD_FILE), "utf8").catch(() => ""))
  return new Set((await Promise.all(lists)).flatMap((list) => list.split("\n")))
}
