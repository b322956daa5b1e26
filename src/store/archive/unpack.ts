import { open, statfs } from "node:fs/promises"
import { join } from "node:path"
import { Readable } from "node:stream"
import { createZstdDecompress } from "node:zlib"
import { Parser, type ReadEntry } from "tar"
import { reasonOf, XllmError } from "../../errors/base"
import { Cancelled } from "../../errors/request"
import { DiskFull, InvalidArchive } from "../../errors/store"
import { sha256 } from "../../lib/sha256"
import { systemCode } from "../../lib/system/system-reason"
import { formatSize } from "../../lib/text/bytes"
import {
  type ArchiveDescription,
  DESCRIPTION_ENTRY,
  MAX_TEXT_BYTES,
  parseDescription,
  parseSums,
  sumOfBlobEntry,
  SUMS_ENTRY,
} from "./layout"

/** The verified content of an archive. */
export interface UnpackedArchive {
  readonly description: ArchiveDescription
  /** The model's files in the target folder, by their SHA-256 in hex. */
  readonly blobs: ReadonlyMap<string, { readonly path: string; readonly sizeBytes: number }>
}

export interface UnpackOptions {
  /** Its name in messages. */
  readonly archive: string
  readonly bytes: AsyncIterable<Uint8Array>
  /** An empty folder. */
  readonly folder: string
  /**
   * Returns the sizes of the files that a description names: bytes by SHA-256 in hex.
   * @throws to reject the archive
   */
  accept(description: ArchiveDescription): Promise<ReadonlyMap<string, number>>
  /** Called with the number of bytes of the archive read so far. */
  onProgress(bytes: number): void
  readonly signal: AbortSignal
}

/**
 * Unpacks an archive into a folder and verifies all of it. No entry decides where it is written: its name is
 * checked against those an archive may contain, and its file gets a name of ours. Stops reading at the first fault.
 * @throws InvalidArchive, DiskFull, Cancelled
 */
export async function unpackArchive(options: UnpackOptions): Promise<UnpackedArchive> {
  const parser = new Parser({ strict: true, maxMetaEntrySize: MAX_TEXT_BYTES })
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // awaited in the race below
  const unpacking = new Unpacking(options, failed.promise)
  const fed = Promise.withResolvers<void>()
  const ended = new Promise<void>((resolve) => parser.on("end", resolve))
  let work = Promise.resolve()
  const fail = (error: unknown) => failed.reject(asInvalid(error, options))
  parser.on("error", fail)
  // An oversized extended header: skipping it could take hours.
  parser.on("ignoredEntry", () =>
    fail(new InvalidArchive(options.archive, "it has a header that is too large")),
  )
  let isOver = false
  parser.on("eof", () => (isOver = true))
  parser.on("entry", (entry: ReadEntry) => {
    work = work.then(() => unpacking.take(entry))
    work.catch(fail)
  })
  const drained = () => new Promise<void>((resolve) => parser.once("drain", resolve))
  const feed = async () => {
    const read = { bytes: 0 }
    for await (const bytes of growing(await decompressed(watched(options, read)), read, options)) {
      if (!parser.write(Buffer.from(bytes))) await Promise.race([drained(), failed.promise])
      // The archive has ended; whatever follows is ignored.
      if (isOver) break
    }
    parser.end()
    await Promise.race([ended, failed.promise])
    await work
  }
  feed().then(fed.resolve, fail)
  try {
    await Promise.race([fed.promise, failed.promise])
  } finally {
    // Closes the file that was being written.
    await work.catch(() => {})
  }
  return unpacking.finish()
}

/** How much of an archive has been read. */
interface ReadSoFar {
  bytes: number
}

async function* watched(
  { bytes, signal, onProgress }: UnpackOptions,
  read: ReadSoFar,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    if (signal.aborted) throw new Cancelled()
    read.bytes += chunk.length
    yield chunk
    onProgress(read.bytes)
  }
}

/**
 * Weights are noise to a compressor: data that expands a hundredfold is no model, but fills a disk. Small archives
 * may expand more, because their headers are mostly zeros.
 */
const MOST_GROWTH = 100
const GROWTH_COUNTS_FROM_BYTES = 64 * 1024 ** 2

/** @throws InvalidArchive where the output is far larger than the input */
async function* growing(
  plain: AsyncIterable<Uint8Array>,
  read: ReadSoFar,
  { archive }: UnpackOptions,
): AsyncGenerator<Uint8Array> {
  let unpacked = 0
  for await (const chunk of plain) {
    unpacked += chunk.length
    if (unpacked > GROWTH_COUNTS_FROM_BYTES && unpacked > MOST_GROWTH * read.bytes)
      throw new InvalidArchive(archive, `it grows to more than ${MOST_GROWTH} times its size`)
    yield chunk
  }
}

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** The tar file's bytes in small pieces; an uncompressed one is passed through. */
async function decompressed(bytes: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  let head = new Uint8Array()
  while (head.length < ZSTD_MAGIC.length) {
    const { value, done } = await bytes.next()
    if (done === true) break
    head = Buffer.concat([head, value])
  }
  const all = startingWith(head, bytes)
  if (!ZSTD_MAGIC.equals(head.subarray(0, ZSTD_MAGIC.length))) return all
  const source = Readable.from(all, { objectMode: false })
  const decompressor = createZstdDecompress()
  source.on("error", (error) => decompressor.destroy(error))
  return source.pipe(decompressor)
}

async function* startingWith(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head
  yield* rest
}

class Unpacking {
  readonly #options: UnpackOptions
  readonly #blobs = new Map<string, { readonly path: string; readonly sizeBytes: number }>()
  readonly #seen = new Set<string>()
  #sums: ReadonlyMap<string, string> | undefined
  #sizes: ReadonlyMap<string, number> | undefined
  #description: ArchiveDescription | undefined

  readonly #failed: Promise<never>

  /** `failed` rejects when the archive turns out to be invalid: the entry that is being read then never ends. */
  constructor(options: UnpackOptions, failed: Promise<never>) {
    this.#options = options
    this.#failed = failed
  }

  async take(entry: ReadEntry): Promise<void> {
    const { path, type } = entry
    if (type !== "File" && type !== "OldFile")
      throw this.#invalid(`'${shown(path)}' is not a file but a ${type}`)
    if (this.#seen.has(path)) throw this.#invalid(`'${shown(path)}' occurs twice`)
    this.#seen.add(path)
    if (this.#sums === undefined) return await this.#takeSums(entry)
    const sum = this.#sums.get(path)
    if (sum === undefined) throw this.#invalid(`'${shown(path)}' is not in ${SUMS_ENTRY}`)
    const blob = sumOfBlobEntry(path)
    if (blob !== undefined) return await this.#takeBlob(entry, blob)
    const text = await this.#text(entry)
    if (sha256(text) !== sum) throw this.#invalid(`checksum mismatch for '${path}'`)
    if (path === DESCRIPTION_ENTRY) await this.#takeDescription(new TextDecoder().decode(text))
  }

  finish(): UnpackedArchive {
    const missing = [...(this.#sums?.keys() ?? [SUMS_ENTRY])].find((path) => !this.#seen.has(path))
    if (missing !== undefined) throw this.#invalid(`it ends without '${missing}'`)
    if (this.#description === undefined) throw this.#invalid(`it ends without ${DESCRIPTION_ENTRY}`)
    return { description: this.#description, blobs: this.#blobs }
  }

  async #takeSums(entry: ReadEntry): Promise<void> {
    const { archive } = this.#options
    if (entry.path !== SUMS_ENTRY) {
      throw this.#invalid(
        `it begins with '${shown(entry.path)}', not with ${SUMS_ENTRY}: xLLM did not write it`,
      )
    }
    this.#sums = parseSums(new TextDecoder().decode(await this.#text(entry)), archive)
  }

  /** From here on the size of every entry is known. */
  async #takeDescription(text: string): Promise<void> {
    const { archive, folder } = this.#options
    this.#description = parseDescription(text, archive)
    this.#sizes = await this.#options.accept(this.#description)
    const unlisted = [...this.#sizes.keys()].find((hex) => !this.#listed.has(hex))
    if (unlisted !== undefined) throw this.#invalid(`${SUMS_ENTRY} lacks the file sha256-${unlisted}`)
    const needed = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0)
    const { bavail, bsize } = await statfs(folder)
    if (needed > bavail * bsize)
      throw new DiskFull(folder, { neededBytes: needed, freeBytes: bavail * bsize })
  }

  get #listed(): ReadonlySet<string> {
    return new Set([...(this.#sums?.keys() ?? [])].flatMap((path) => sumOfBlobEntry(path) ?? []))
  }

  async #takeBlob(entry: ReadEntry, hex: string): Promise<void> {
    if (this.#sizes === undefined) throw this.#invalid(`'${entry.path}' comes before ${DESCRIPTION_ENTRY}`)
    const size = this.#sizes.get(hex)
    if (size === undefined) throw this.#invalid(`'${entry.path}' is not part of the model`)
    if (entry.size !== size)
      throw this.#invalid(`'${entry.path}' has ${entry.size} bytes, but should have ${size}`)
    const path = join(this.#options.folder, hex)
    const hash = new Bun.CryptoHasher("sha256")
    await using file = await open(path, "wx", 0o600)
    for await (const chunk of this.#chunks(entry)) {
      if (this.#options.signal.aborted) throw new Cancelled()
      hash.update(chunk)
      await file.writeFile(chunk)
    }
    if (hash.digest("hex") !== hex) throw this.#invalid(`checksum mismatch for '${entry.path}'`)
    await file.sync()
    this.#blobs.set(hex, { path, sizeBytes: size })
  }

  async #text(entry: ReadEntry): Promise<Uint8Array> {
    if (entry.size > MAX_TEXT_BYTES)
      throw this.#invalid(`'${shown(entry.path)}' has ${formatSize(entry.size)}, more than any text`)
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#chunks(entry)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  async *#chunks(entry: ReadEntry): AsyncGenerator<Uint8Array> {
    const chunks = entry[Symbol.asyncIterator]()
    while (true) {
      const { value, done } = await Promise.race([chunks.next(), this.#failed])
      if (done === true) return
      yield value
    }
  }

  #invalid(reason: string): InvalidArchive {
    return new InvalidArchive(this.#options.archive, reason)
  }
}

/** Names in an archive can be anything. */
function shown(path: string): string {
  return path.replace(/[^\x20-\x7e]/g, "?").slice(0, 200)
}

/** Errors of the parser and the decompressor mean an invalid archive; those of the file system do not. */
function asInvalid(error: unknown, { archive }: UnpackOptions): unknown {
  if (error instanceof XllmError || isSystemError(error)) return error
  return new InvalidArchive(archive, reasonOfLibrary(error))
}

/** By the error codes of the tar parser and the decompressor: their messages are about their internals. */
function reasonOfLibrary(error: unknown): string {
  const code = systemCode(error) ?? ""
  if (/^Z(STD)?_/.test(code)) return "its compressed data is damaged"
  if (!code.startsWith("TAR_")) return reasonOf(error)
  // For a truncated entry, the parser's error names it.
  if (error instanceof Error && "entry" in error) return "it is cut short"
  return code === "TAR_ENTRY_INVALID" ? "it is damaged, or not a tar archive" : "it is not a tar archive"
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && typeof error.syscall === "string"
}
