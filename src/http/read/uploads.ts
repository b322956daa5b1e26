import { closeSync, openSync } from "node:fs"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { StorageFailed } from "../../errors/engine"
import { LOCK_EXCLUSIVE, LOCK_NOW, openFlock } from "../../lib/system/flock"

/** A server's folder, and beside it the file that is locked as long as the server runs. */
const LOCK_ENDING = ".lock"

/**
 * Files that came with requests, each until its request is over. Every process has a folder of its own below `parent`;
 * the folders of those that have ended without removing them are removed when another one starts.
 */
export class Uploads {
  readonly #parent: string
  #place: Promise<Place> | undefined

  /** Nothing is made before it is needed. */
  constructor(parent: string) {
    this.#parent = parent
  }

  /** Removes what other processes have left. */
  async start(): Promise<void> {
    await this.#own()
  }

  /**
   * A path for a new file. `ending` is what a file of that kind is usually called, or empty.
   * @throws StorageFailed
   */
  async newPath(ending: string): Promise<string> {
    const { folder } = await this.#own().catch((error: unknown) => {
      throw new StorageFailed("the uploaded file", error)
    })
    return join(folder, `${crypto.randomUUID()}${ending}`)
  }

  /** Removes everything. */
  async close(): Promise<void> {
    const place = await this.#place?.catch(() => undefined)
    this.#place = undefined
    if (place === undefined) return
    await removeFolder(this.#parent, place.id)
    closeSync(place.lock)
  }

  #own(): Promise<Place> {
    this.#place ??= takePlace(this.#parent).catch((error: unknown) => {
      // The disk may have room the next time.
      this.#place = undefined
      throw error
    })
    return this.#place
  }
}

interface Place {
  readonly id: string
  readonly folder: string
  /** An open file: the lock ends with its process, however that ends. */
  readonly lock: number
}

async function takePlace(parent: string): Promise<Place> {
  await mkdir(parent, { recursive: true, mode: 0o700 })
  await removeLeft(parent)
  const id = crypto.randomUUID()
  // Locked before the folder is there: nobody ever sees the folder of a running process without its lock.
  const lock = openSync(join(parent, id + LOCK_ENDING), "a", 0o600)
  openFlock()?.(lock, LOCK_EXCLUSIVE | LOCK_NOW)
  const folder = join(parent, id)
  await mkdir(folder, { mode: 0o700 })
  return { id, folder, lock }
}

/** What a server's folder is called. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Where the system has no locks nothing is known of the others, and they are left alone; so is what is called otherwise,
 * because it is somebody else's.
 */
async function removeLeft(parent: string): Promise<void> {
  const flock = openFlock()
  if (flock === undefined) return
  const names = await readdir(parent)
  const ids = new Set(names.map((name) => name.replace(LOCK_ENDING, "")).filter((name) => ID.test(name)))
  for (const id of ids) {
    const lock = openSync(join(parent, id + LOCK_ENDING), "a", 0o600)
    if (flock(lock, LOCK_EXCLUSIVE | LOCK_NOW) === 0) await removeFolder(parent, id)
    closeSync(lock)
  }
}

async function removeFolder(parent: string, id: string): Promise<void> {
  await rm(join(parent, id), { recursive: true, force: true })
  await rm(join(parent, id + LOCK_ENDING), { force: true })
}
