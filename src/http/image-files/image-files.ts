import { constants } from "node:fs"
import { lstat, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { ImageFormat } from "../../domain/media/image"
import { StorageFailed } from "../../errors/engine"

/** How long images are kept, and how much space they may take. */
export interface ImageLimits {
  /** Seconds after which an image is deleted; `null`: never. */
  readonly ttlSeconds: number | null
  /** The most bytes that all images together may take, the oldest are deleted first; `null`: no limit. */
  readonly maxBytes: number | null
}

export interface StoredImage {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly mime: string
  readonly modifiedAt: Date
  /** Seconds until it is deleted; `null`: it is kept. */
  readonly secondsLeft: number | null
}

export interface ImageFilesOptions {
  readonly folder: string
  /** Called whenever the limits are needed: they may change while the server runs. */
  readonly limits: () => ImageLimits
  /** Milliseconds, like `Date.now`. */
  readonly now?: () => number
}

/** By file extension. */
const MIME_TYPES: Readonly<Record<ImageFormat, string>> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
}

/** 160 bits cannot be guessed: only clients that were given the name have it. */
const NAME_BYTES = 20

/** Distinguishes our files from others in the folder, whose names may be 32-digit hashes. */
const PREFIX = "xllm-"

/** The names that {@link ImageFiles.add} generates, and no others. */
const NAME = new RegExp(`^${PREFIX}[\\w-]{27}\\.(png|jpeg|webp)$`)

/** A file that is still being written. One left over by a crash is deleted at this age, in milliseconds. */
const UNFINISHED = new RegExp(`^${PREFIX}[\\w-]{27}\\.(?:png|jpeg|webp)\\.part$`)
const UNFINISHED_MS = 10 * 60_000

/** Expired images are deleted at least this often while there are images: limits and clocks may change. */
const LOOK_MS = 60_000

/** The shortest interval, whatever the files' times say. */
const SHORTEST_LOOK_MS = 1000

/**
 * Generated images that clients fetch by URL: files with unguessable names in one folder, deleted when they expire.
 * An image's age is that of its file, so it does not matter which process wrote it. Other files in the folder are
 * never served or deleted.
 */
export class ImageFiles {
  readonly #folder: string
  readonly #limits: () => ImageLimits
  readonly #now: () => number
  #sweeping: Promise<void> = Promise.resolve()
  #timer: ReturnType<typeof setTimeout> | undefined
  #isRunning = false

  constructor({ folder, limits, now = Date.now }: ImageFilesOptions) {
    this.#folder = folder
    this.#limits = limits
    this.#now = now
  }

  /** Deletes expired images now and from now on, including those of earlier processes. */
  async start(): Promise<void> {
    this.#isRunning = true
    await this.sweep()
  }

  /** Stops deleting images. */
  close(): void {
    this.#isRunning = false
    clearTimeout(this.#timer)
  }

  /** Writes a new file and resolves to its name once it is complete. @throws StorageFailed */
  async add(bytes: Uint8Array, format: ImageFormat): Promise<string> {
    const random = crypto.getRandomValues(new Uint8Array(NAME_BYTES))
    const name = `${PREFIX}${random.toBase64({ alphabet: "base64url", omitPadding: true })}.${format}`
    const path = join(this.#folder, name)
    const unfinished = `${path}.part`
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await writeFile(unfinished, bytes, { flag: "wx", mode: 0o600 })
      await rename(unfinished, path)
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {})
      throw new StorageFailed("the image", error)
    }
    await this.sweep(name)
    return name
  }

  /**
   * Reads the whole file, so that its deletion cannot truncate the response; undefined if it does not exist or has
   * expired.
   */
  async read(name: string): Promise<StoredImage | undefined> {
    const format = NAME.exec(name)?.[1]
    if (format === undefined) return undefined
    await using file = await openFile(join(this.#folder, name))
    const facts = await file?.stat()
    if (file === undefined || facts === undefined || !facts.isFile()) return undefined
    const { ttlSeconds } = this.#limits()
    const secondsLeft = ttlSeconds === null ? null : ttlSeconds - (this.#now() - wholeMs(facts)) / 1000
    if (secondsLeft !== null && secondsLeft <= 0) return undefined
    return {
      bytes: new Uint8Array(await file.readFile()),
      // NAME matches no other extensions.
      mime: MIME_TYPES[format as ImageFormat],
      modifiedAt: facts.mtime,
      secondsLeft,
    }
  }

  /** Deletes what is due. `keep`: the name of a new file that is kept whatever its size. */
  async sweep(keep?: string): Promise<void> {
    // Sequential: two sweeps at a time would count the same bytes twice.
    this.#sweeping = this.#sweeping.then(() => this.#sweep(keep))
    await this.#sweeping
  }

  async #sweep(keep: string | undefined): Promise<void> {
    const files = await this.#files()
    const due = chooseDue(files, this.#limits(), this.#now(), keep)
    await Promise.all(due.map(({ name }) => rm(join(this.#folder, name), { force: true }).catch(() => {})))
    this.#plan(files.filter((file) => !due.includes(file)))
  }

  /** Our files, oldest first. */
  async #files(): Promise<readonly ImageFile[]> {
    const names = await readdir(this.#folder).catch(() => [])
    const ours = names.filter((name) => NAME.test(name) || UNFINISHED.test(name))
    const files = await Promise.all(ours.map((name) => factsOf(this.#folder, name)))
    return files.filter((file) => file !== undefined).sort((a, b) => a.modifiedMs - b.modifiedMs)
  }

  /** Schedules the next sweep. Without files there is none until one is added. */
  #plan([oldest]: readonly ImageFile[]): void {
    clearTimeout(this.#timer)
    if (!this.#isRunning || oldest === undefined) return
    const { ttlSeconds } = this.#limits()
    const dueMs = ttlSeconds === null ? Infinity : oldest.modifiedMs + ttlSeconds * 1000 - this.#now()
    const waitMs = Math.min(LOOK_MS, Math.max(SHORTEST_LOOK_MS, dueMs))
    this.#timer = setTimeout(() => void this.sweep().catch(() => {}), waitMs)
    // The timer must not keep the process running.
    this.#timer.unref()
  }
}

interface ImageFile {
  readonly name: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** Chooses the files to delete; `files` are sorted, oldest first. */
function chooseDue(
  files: readonly ImageFile[],
  { ttlSeconds, maxBytes }: ImageLimits,
  nowMs: number,
  keep: string | undefined,
): readonly ImageFile[] {
  const isOld = ({ name, modifiedMs }: ImageFile) => {
    const ageMs = nowMs - modifiedMs
    return UNFINISHED.test(name) ? ageMs >= UNFINISHED_MS : ttlSeconds !== null && ageMs >= ttlSeconds * 1000
  }
  const due = files.filter(isOld)
  const images = files.filter((file) => NAME.test(file.name) && !isOld(file))
  let bytes = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  for (const image of images) {
    if (maxBytes === null || bytes <= maxBytes) break
    if (image.name === keep) continue
    due.push(image)
    bytes -= image.sizeBytes
  }
  return due
}

async function factsOf(folder: string, name: string): Promise<ImageFile | undefined> {
  try {
    const facts = await lstat(join(folder, name))
    return facts.isFile() ? { name, sizeBytes: facts.size, modifiedMs: wholeMs(facts) } : undefined
  } catch {
    // Deleted in the meantime by another process that uses the same folder.
    return undefined
  }
}

/** File times are finer than the clock: a new file must not appear to come from the future. */
function wholeMs({ mtimeMs }: { readonly mtimeMs: number }): number {
  return Math.floor(mtimeMs)
}

/** Does not follow symbolic links: only files written here may be read. */
async function openFile(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return undefined
  }
}
