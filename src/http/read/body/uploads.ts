import { closeSync, openSync } from "node:fs"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { StorageFailed } from "../../../errors/engine"
import { LOCK_EXCLUSIVE, LOCK_NOW, openFlock } from "../../../lib/system/flock"

/** Each server's folder has a file beside it that is locked while the server runs. */
const LOCK_ENDING = ".lock"

/**
 * Uploaded files, each deleted after its response. Every process has its own folder below `parent`; folders left over
 * by other processes are removed when a new one starts.
 */
export class Uploads {
  readonly #parent: string
  /** Names this process's folder. */
  readonly #id = crypto.randomUUID()
  #place: Promise<Place> | undefined

  /** Nothing is created until it is needed. */
  constructor(parent: string) {
    this.#parent = parent
  }

  /** Removes the folders left over by other processes. */
  async start(): Promise<void> {
    await this.#own()
  }

  /**
   * Returns a path for a new file. `ending`: the usual extension of its type, or empty.
   * @throws StorageFailed
   */
  async newPath(ending: string): Promise<string> {
    await this.ready()
    return this.pathFor(ending)
  }

  /** The same, of a file that is written once {@link ready} has resolved. */
  pathFor(ending: string): string {
    return join(this.#parent, this.#id, `${crypto.randomUUID()}${ending}`)
  }

  /** @throws StorageFailed */
  async ready(): Promise<void> {
    await this.#own().catch((error: unknown) => {
      throw new StorageFailed("the uploaded file", error)
    })
  }

  /** Removes this process's files and folder. */
  async close(): Promise<void> {
    const place = await this.#place?.catch(() => undefined)
    this.#place = undefined
    if (place === undefined) return
    await removeFolder(this.#parent, this.#id)
    closeSync(place.lock)
  }

  #own(): Promise<Place> {
    this.#place ??= takePlace(this.#parent, this.#id).catch((error: unknown) => {
      // Retried the next time: the disk may have space by then.
      this.#place = undefined
      throw error
    })
    return this.#place
  }
}

interface Place {
  /** An open file: its lock ends with the process, however that ends. */
  readonly lock: number
}

async function takePlace(parent: string, id: string): Promise<Place> {
  await mkdir(parent, { recursive: true, mode: 0o700 })
  await removeLeft(parent)
  // Locked before the folder exists: other processes never see the folder of a running process without its lock.
  const lock = openSync(join(parent, id + LOCK_ENDING), "a", 0o600)
  openFlock()?.(lock, LOCK_EXCLUSIVE | LOCK_NOW)
  await mkdir(join(parent, id), { mode: 0o700 })
  return { lock }
}

/** The names of servers' folders. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * If the system has no locks, it is unknown whether other processes run, and their folders are kept. Other names are
 * kept too, as they are not ours.
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
