import { readFileSync } from "node:fs"
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** A range of the file that one connection fetches. */
export interface Segment {
  readonly index: number
  readonly start: number
  /** Exclusive; `Infinity` while the file's length is unknown. */
  readonly end: number
  /** Bytes present, from its start. */
  written: number
}

/** Identifies the downloaded file when resuming. */
export interface PartialIdentity {
  /** For messages, and to find earlier attempts: `hf.co/org/model/file.gguf`. */
  readonly reference: string
  readonly sizeBytes: number | undefined
  /** The server's identifier of this version of the file. */
  readonly etag: string | undefined
}

/** The JSON next to the data. */
interface StoredIdentity extends PartialIdentity {
  readonly version: 1
  readonly segmentBytes: number
  /** Boot id of the system that wrote it; absent where the system has none. */
  readonly boot: string | undefined
}

const DATA = ".data"
const STATE = ".json"
const PROGRESS = ".progress"
export const PARTIAL_ENDINGS = [DATA, STATE, PROGRESS] as const

const COUNT_BYTES = 8
const SMALLEST_SEGMENT = 4 * 1024 ** 2
const LARGEST_SEGMENT = 64 * 1024 ** 2
const USUAL_SEGMENTS = 64
/** Unsynced data at a time: the most that a power failure may cost. */
const SYNC_EVERY_BYTES = 64 * 1024 ** 2

/**
 * A file being downloaded in parts, and the progress of each. Three files: the data at its final offsets, its
 * identity (replaced as a whole), and the byte counts of each segment, overwritten in place *after* the data, so
 * that they are never ahead of it. Each count is stored twice: the bytes written, valid while the system runs (a
 * killed process loses nothing), and the bytes synced to disk, valid after a power failure too.
 */
export class PartialFile {
  readonly segments: readonly Segment[]
  readonly path: string
  readonly #base: string
  readonly #data: FileHandle
  readonly #progress: FileHandle
  readonly #stored: StoredIdentity
  #etag: string | undefined
  /** Data of another version of the file was discarded. */
  readonly replacesOther: boolean
  #unsynced = 0
  #syncing: Promise<void> | undefined

  private constructor(
    base: string,
    files: { readonly data: FileHandle; readonly progress: FileHandle },
    stored: StoredIdentity,
    { written, replacesOther }: { readonly written: readonly number[]; readonly replacesOther: boolean },
  ) {
    this.replacesOther = replacesOther
    this.#base = base
    this.path = base + DATA
    this.#data = files.data
    this.#progress = files.progress
    this.#stored = stored
    this.#etag = stored.etag
    this.segments = segmentsOf(stored).map((segment, index) => ({
      ...segment,
      written: Math.min(written[index] ?? 0, segment.end - segment.start),
    }))
  }

  /**
   * Resumes the file called `key` in `folder`, or starts it where there is none with that identity. Only one caller
   * at a time may have it open.
   */
  static async open(folder: string, key: string, wanted: PartialIdentity): Promise<PartialFile> {
    await mkdir(folder, { recursive: true })
    const base = join(folder, key)
    const stored = await readIdentity(base)
    const isSame =
      stored !== undefined &&
      stored.sizeBytes === wanted.sizeBytes &&
      (wanted.etag === undefined || stored.etag === undefined || stored.etag === wanted.etag)
    if (!isSame) await removePartial(base)
    const identity: StoredIdentity = isSame
      ? stored
      : { ...wanted, version: 1, segmentBytes: segmentBytes(wanted.sizeBytes), boot: undefined }
    const data = await open(base + DATA, isSame ? "r+" : "w+", 0o600)
    const progress = await open(base + PROGRESS, isSame ? "r+" : "w+", 0o600)
    const written = isSame ? await readCounts(progress, identity, (await data.stat()).size) : []
    const replacesOther = stored !== undefined && !isSame
    const current = { ...identity, boot: bootId() }
    const partial = new PartialFile(base, { data, progress }, current, { written, replacesOther })
    // Before the new boot id is written: until then only synced bytes count.
    await partial.#writeCounts()
    await partial.#save()
    return partial
  }

  get file(): FileHandle {
    return this.#data
  }

  get sizeBytes(): number | undefined {
    return this.#stored.sizeBytes
  }

  get etag(): string | undefined {
    return this.#etag
  }

  /** Records the server's identifier of this version of the file. */
  async setEtag(etag: string): Promise<void> {
    this.#etag = etag
    await this.#save()
  }

  get writtenBytes(): number {
    return this.segments.reduce((sum, { written }) => sum + written, 0)
  }

  /** Length of the gapless part at the file's start. */
  get prefixBytes(): number {
    for (const { start, end, written } of this.segments) if (start + written < end) return start + written
    return this.segments.at(-1)?.end ?? 0
  }

  get isComplete(): boolean {
    return this.segments.every(({ start, end, written }) => start + written === end)
  }

  /** Appends to a segment. @throws the file system's error; then none of the bytes count */
  async append(segment: Segment, bytes: Uint8Array): Promise<void> {
    await writeAll(this.#data, bytes, segment.start + segment.written)
    const written = segment.written + bytes.length
    await this.#progress.write(count(written), 0, COUNT_BYTES, segment.index * COUNT_BYTES)
    segment.written = written
    this.#unsynced += bytes.length
    if (this.#unsynced >= SYNC_EVERY_BYTES) await this.sync()
  }

  /** Syncs everything written so far to disk. */
  async sync(): Promise<void> {
    // One at a time: an earlier sync's counts would confirm a later one's data.
    while (this.#syncing !== undefined) await this.#syncing
    this.#syncing = this.#sync()
    try {
      await this.#syncing
    } finally {
      this.#syncing = undefined
    }
  }

  async #sync(): Promise<void> {
    this.#unsynced = 0
    const counts = this.segments.map(({ written }) => written)
    await this.#data.datasync()
    await writeAll(this.#progress, countsOf(counts), this.segments.length * COUNT_BYTES)
  }

  async #writeCounts(): Promise<void> {
    const counts = countsOf(this.segments.map(({ written }) => written))
    await writeAll(this.#progress, Buffer.concat([counts, counts]), 0)
  }

  async #save(): Promise<void> {
    const temporary = `${this.#base}${STATE}.${process.pid}.tmp`
    await writeFile(temporary, JSON.stringify({ ...this.#stored, etag: this.#etag }), { mode: 0o600 })
    await rename(temporary, this.#base + STATE)
  }

  /** Keeps the data for the next time. */
  async close(): Promise<void> {
    await this.#data.close()
    await this.#progress.close()
  }

  /** Deletes everything. */
  async discard(): Promise<void> {
    await this.close()
    await removePartial(this.#base)
  }

  /** Deletes the other files after the data was moved away. */
  async forget(): Promise<void> {
    await removePartial(this.#base)
  }
}

/** Bytes of a download already present; 0 where it has not begun. */
export async function partialBytes(folder: string, key: string): Promise<number> {
  const base = join(folder, key)
  const stored = await readIdentity(base)
  if (stored === undefined) return 0
  const progress = await open(base + PROGRESS, "r").catch(() => undefined)
  if (progress === undefined) return 0
  try {
    const dataBytes = (await stat(base + DATA).catch(() => undefined))?.size ?? 0
    return (await readCounts(progress, stored, dataBytes)).reduce((sum, written) => sum + written, 0)
  } finally {
    await progress.close()
  }
}

/** Reads the JSON at `base`; `undefined` where there is none that this version can resume. */
export async function readIdentity(base: string): Promise<StoredIdentity | undefined> {
  const text = await readFile(base + STATE, "utf8").catch(() => "")
  try {
    const value: unknown = JSON.parse(text)
    return isIdentity(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isIdentity(value: unknown): value is StoredIdentity {
  if (typeof value !== "object" || value === null) return false
  const fields: Partial<Record<keyof StoredIdentity, unknown>> = value
  return (
    fields.version === 1 &&
    typeof fields.reference === "string" &&
    typeof fields.segmentBytes === "number" &&
    fields.segmentBytes > 0 &&
    ["number", "undefined"].includes(typeof fields.sizeBytes) &&
    ["string", "undefined"].includes(typeof fields.etag)
  )
}

export async function removePartial(base: string): Promise<void> {
  // The identity is deleted first: data alone is known to be useless.
  for (const ending of [STATE, PROGRESS, DATA]) await rm(base + ending, { force: true })
}

/** Few segments for small files; for large ones neither thousands nor segments that take minutes. */
function segmentBytes(sizeBytes: number | undefined): number {
  const whole = (sizeBytes ?? 0) / USUAL_SEGMENTS
  return Math.min(LARGEST_SEGMENT, Math.max(SMALLEST_SEGMENT, Math.ceil(whole / 65_536) * 65_536))
}

function segmentsOf({ sizeBytes, segmentBytes }: StoredIdentity): Omit<Segment, "written">[] {
  if (sizeBytes === undefined) return [{ index: 0, start: 0, end: Infinity }]
  const segments = Math.ceil(sizeBytes / segmentBytes)
  return Array.from({ length: segments }, (_, index) => ({
    index,
    start: index * segmentBytes,
    end: Math.min(sizeBytes, (index + 1) * segmentBytes),
  }))
}

/** The valid counts of each segment: after a power failure only the synced ones. */
async function readCounts(
  progress: FileHandle,
  identity: StoredIdentity,
  dataBytes: number,
): Promise<number[]> {
  const segments = segmentsOf(identity)
  const isSameRun = identity.boot !== undefined && identity.boot === bootId()
  const length = segments.length * COUNT_BYTES
  const { buffer, bytesRead } = await progress.read(Buffer.alloc(length), 0, length, isSameRun ? 0 : length)
  return segments.map(({ index, start, end }) => {
    const at = index * COUNT_BYTES
    const said = at + COUNT_BYTES <= bytesRead ? Number(buffer.readBigUInt64LE(at)) : 0
    return Math.max(0, Math.min(said, end - start, dataBytes - start))
  })
}

function count(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(COUNT_BYTES)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function countsOf(values: readonly number[]): Buffer {
  return Buffer.concat(values.map(count))
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

let knownBoot: string | undefined

/** Linux has a boot id; elsewhere nothing is assumed. */
function bootId(): string | undefined {
  try {
    knownBoot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    return knownBoot
  } catch {
    return undefined
  }
}
