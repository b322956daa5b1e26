import { constants } from "node:fs"
import { lstat, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { ImageFormat } from "../../domain/image"
import { StorageFailed } from "../../errors/engine"

/** How long images stay, and how much room they may take. */
export interface ImageLimits {
  /** Seconds after which an image is deleted; `null`: never. */
  readonly ttlSeconds: number | null
  /** Bytes that all images together may take, `null`: any; the oldest go first. */
  readonly maxBytes: number | null
}

/** An image as it is sent. */
export interface StoredImage {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly mime: string
  readonly modifiedAt: Date
  /** Until it is deleted; `null`: it stays. */
  readonly secondsLeft: number | null
}

export interface ImageFilesOptions {
  readonly folder: string
  /** Asked whenever they are needed: they may change while the server runs. */
  readonly limits: () => ImageLimits
  /** Milliseconds, as of `Date.now`. */
  readonly now?: () => number
}

/** Formats by their file name's ending, which is all that a name tells. */
const MIME_TYPES: Readonly<Record<ImageFormat, string>> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
}

/** Nobody guesses 160 bits: who has the name was given it. */
const NAME_BYTES = 20

/** Tells our files from those that somebody else keeps in the folder, whose names may be sums of 32 digits. */
const PREFIX = "xllm-"

/** The names that {@link ImageFiles.add} gives, and no others. */
const NAME = new RegExp(`^${PREFIX}[\\w-]{27}\\.(png|jpeg|webp)$`)

/** A file that is being written. One that is left after a crash goes when it is this old, in milliseconds. */
const UNFINISHED = new RegExp(`^${PREFIX}[\\w-]{27}\\.(?:png|jpeg|webp)\\.part$`)
const UNFINISHED_MS = 10 * 60_000

/** Expired images are looked for at least this often while there are any: limits may change, and clocks be set. */
const LOOK_MS = 60_000

/** Not more often than this, whatever the files' times say. */
const SHORTEST_LOOK_MS = 1000

/**
 * Generated images that are fetched by URL: files of a folder under unguessable names, until their time is over. Their
 * age is that of the file, so it does not matter which process wrote it. Other files of the folder do not exist here.
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

  /** Deletes what is due, now and from now on; also what an earlier process has left. */
  async start(): Promise<void> {
    this.#isRunning = true
    await this.sweep()
  }

  /** Looks after the files no more. */
  close(): void {
    this.#isRunning = false
    clearTimeout(this.#timer)
  }

  /** Writes a new file; resolves to its name, once it is there as a whole. @throws StorageFailed */
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

  /** The whole file, so that its deletion cannot cut it short; undefined where there is none, or its time is over. */
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
      // The pattern has no other endings.
      mime: MIME_TYPES[format as ImageFormat],
      modifiedAt: facts.mtime,
      secondsLeft,
    }
  }

  /** Deletes what is due. `keep`: the name of a file that has only just been made, which stays however large it is. */
  async sweep(keep?: string): Promise<void> {
    // One after another: two at a time would count the same bytes twice.
    this.#sweeping = this.#sweeping.then(() => this.#sweep(keep))
    await this.#sweeping
  }

  async #sweep(keep: string | undefined): Promise<void> {
    const files = await this.#files()
    const due = chooseDue(files, this.#limits(), this.#now(), keep)
    await Promise.all(due.map(({ name }) => rm(join(this.#folder, name), { force: true }).catch(() => {})))
    this.#plan(files.filter((file) => !due.includes(file)))
  }

  /** Ours, oldest first. */
  async #files(): Promise<readonly ImageFile[]> {
    const names = await readdir(this.#folder).catch(() => [])
    const ours = names.filter((name) => NAME.test(name) || UNFINISHED.test(name))
    const files = await Promise.all(ours.map((name) => factsOf(this.#folder, name)))
    return files.filter((file) => file !== undefined).sort((a, b) => a.modifiedMs - b.modifiedMs)
  }

  /** Without files there is nothing to look for until one is added. */
  #plan([oldest]: readonly ImageFile[]): void {
    clearTimeout(this.#timer)
    if (!this.#isRunning || oldest === undefined) return
    const { ttlSeconds } = this.#limits()
    const dueMs = ttlSeconds === null ? Infinity : oldest.modifiedMs + ttlSeconds * 1000 - this.#now()
    const waitMs = Math.min(LOOK_MS, Math.max(SHORTEST_LOOK_MS, dueMs))
    this.#timer = setTimeout(() => void this.sweep().catch(() => {}), waitMs)
    // Nobody has to stay for it.
    this.#timer.unref()
  }
}

interface ImageFile {
  readonly name: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** Which files, oldest first, are to be deleted. */
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
    // Deleted in the meantime, by another process that looks after the same folder.
    return undefined
  }
}

/** Files tell finer times than clocks: one that was just written must not be from the future. */
function wholeMs({ mtimeMs }: { readonly mtimeMs: number }): number {
  return Math.floor(mtimeMs)
}

/** Follows no symbolic link: only what was written here is to be read. */
async function openFile(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return undefined
  }
}
