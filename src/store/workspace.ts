import { existsSync, rmSync } from "node:fs"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type FileLock, lockFile } from "../lib/system/file-lock"
import type { Digest } from "./managed/manifest"

/** A fresh lock is free at once, unless another process's sweep is just testing it. */
const LOCK_PATIENCE_MS = 100
const LOCK_SUFFIX = ".lock"
const HELD_FILE = "held"
/** Lock names made by {@link openWorkspace}; any other file in the folder belongs to something else. */
const OWN_LOCK = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.lock$/

/**
 * A folder for unfinished files, on the file system where they will be installed. It is removed at the end of the
 * scope; {@link sweepWorkspaces} removes the one of a killed process, whose lock the kernel has released.
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

/** A workspace that holds blobs from the start; see {@link Workspace.hold}. */
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

/** Workspaces of this process, removed when it ends in the middle of its work, unless it is killed. */
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

  /** Declares that exactly these blobs are about to be used, until the end of the scope; see {@link heldBlobs}. */
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

/** Removes the workspaces of killed processes. */
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

/** Blobs held by processes ({@link Workspace.hold}) although no manifest names them yet. */
export async function heldBlobs(temporary: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(temporary).catch(() => [])
  const lists = entries.map((entry) => readFile(join(temporary, entry, HELD_FILE), "utf8").catch(() => ""))
  return new Set((await Promise.all(lists)).flatMap((list) => list.split("\n")))
}
