import { mkdirSync, statSync } from "node:fs"
import { stat } from "node:fs/promises"
import { basename, dirname, join, resolve, sep } from "node:path"
import { createStream, type Options, type RotatingFileStream } from "rotating-file-stream"
import { reasonOf } from "../errors/base"
import { type FileLock, tryLockFile } from "../lib/system/file-lock"

export interface LogFileOptions {
  readonly path: string
  /** A file that has this many bytes gives way to a new one; so does that of an earlier day (UTC). */
  readonly maxBytes: number
  /** How many earlier files are kept, compressed, as `NAME.2026-03-01.1.gz` and so on. At least 1. */
  readonly keep: number
  /** Takes the lines that cannot be written to the file, and that it cannot be written. */
  readonly otherwise: (line: string) => void
}

/** What is not on the disk yet may take this much memory, in bytes; the disk has stopped answering then. */
const MAX_WAITING_BYTES = 16 * 1024 ** 2

/** After a failure the file is left alone for this long. */
const RETRY_MS = 60_000

/** How often it is looked whether the file is still in its place. */
const LOOK_MS = 2000

/**
 * A log file that is rotated every day and at a size. While it cannot be written, because the disk is full or the folder
 * not ours, lines go elsewhere; logging never waits for it, and never fails. Where another program renames or deletes
 * the file, as logrotate does, it is created again. Of several processes with one file, one rotates it, and the others only
 * append to it: two that rotate would delete each other's files.
 */
export class LogFile {
  readonly #options: LogFileOptions
  readonly #timer: ReturnType<typeof setInterval>
  readonly #closing = new Set<Promise<void>>()
  #stream: RotatingFileStream | undefined
  /** Which file is written to; undefined while it is not known, as in the middle of a rotation. */
  #written: string | undefined
  #failedAt = 0
  #hasComplained = false
  /** Held by the process that rotates the file. */
  #lock: FileLock | undefined
  #rotates = true
  #hasReportedOther = false

  constructor(options: LogFileOptions) {
    this.#options = options
    this.#open()
    this.#timer = setInterval(() => void this.#look(), LOOK_MS)
    // Nobody has to stay for it.
    this.#timer.unref()
  }

  /** `line`: with its line end. */
  write(line: string): void {
    if (this.#stream === undefined && Date.now() - this.#failedAt >= RETRY_MS) this.#open()
    // What is appended to a file that was put away may be lost when it is compressed.
    if (!this.#rotates && this.#wasPutAway()) this.reopen()
    const stream = this.#stream
    if (stream === undefined || stream.writableLength > MAX_WAITING_BYTES) this.#options.otherwise(line)
    else stream.write(line)
  }

  /** Later lines go to the file that has the name by then, which is made where there is none. */
  reopen(): void {
    // After a failure, or the end, the file is left alone.
    if (this.#stream === undefined) return
    this.#end()
    this.#open()
  }

  /** Waits until everything is written. Later lines go elsewhere. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#end()
    this.#failedAt = Infinity
    await Promise.all(this.#closing)
    this.#release()
  }

  /** Lets the present stream write what it has. */
  #end(): void {
    const stream = this.#stream
    this.#stream = undefined
    this.#written = undefined
    if (stream === undefined) return
    const closed = new Promise<void>((done) => {
      stream.once("close", done)
      stream.end()
    })
    this.#closing.add(closed)
    void closed.then(() => this.#closing.delete(closed))
  }

  async #look(): Promise<void> {
    if (!this.#rotates && this.#takeLock()) return this.reopen()
    const written = this.#written
    if (written === undefined) return
    const there = await identityOf(this.#options.path)
    if ((there !== written || there === NOWHERE) && this.#written === written) this.reopen()
  }

  #open(): void {
    const { path } = this.#options
    const absolute = resolve(path)
    const name = basename(absolute)
    this.#rotates = this.#takeLock()
    const nameOf = (day: number | Date | null, index?: number) =>
      day === null ? name : `${name}.${isoDay(day)}.${index}.gz`
    const stream = createStream(nameOf, {
      path: dirname(absolute) + sep,
      ...(this.#rotates && this.#rotation(name)),
    })
    stream.once("error", (error) => this.#fail(stream, error))
    this.#follow(stream, absolute)
    this.#stream = stream
  }

  #rotation(name: string): Options {
    const { maxBytes, keep } = this.#options
    return {
      interval: "1d",
      // Days as the lines themselves have them.
      intervalUTC: true,
      // Names tell the day that a file is of, not the one on which it was put away.
      intervalBoundary: true,
      // A server that is not running at midnight finds yesterday's file when it starts.
      initialRotation: true,
      size: `${maxBytes}B`,
      maxFiles: keep,
      history: `.${name}.history`,
      compress: "gzip",
    }
  }

  /** May this process rotate the file? Where nothing can be locked, it may. */
  #takeLock(): boolean {
    if (this.#lock?.held) return true
    const path = resolve(this.#options.path)
    try {
      // Next to a pipe or a device there is nothing to lock, nor to rotate.
      if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) return true
      mkdirSync(dirname(path), { recursive: true })
      this.#lock = tryLockFile(join(dirname(path), `.${basename(path)}.lock`))
    } catch {
      // The stream reports what is wrong with the folder.
      return true
    }
    if (this.#lock.held) return true
    this.#release()
    this.#reportOther()
    return false
  }

  #release(): void {
    this.#lock?.[Symbol.dispose]()
    this.#lock = undefined
  }

  #reportOther(): void {
    if (this.#hasReportedOther) return
    this.#hasReportedOther = true
    const { path, otherwise } = this.#options
    otherwise(
      `another process writes the log file ${path} and rotates it; this one only appends to it: ` +
        "better give each a file of its own\n",
    )
  }

  #wasPutAway(): boolean {
    if (this.#written === undefined) return false
    const stats = statSync(this.#options.path, { bigint: true, throwIfNoEntry: false })
    return stats === undefined || `${stats.dev}:${stats.ino}` !== this.#written
  }

  /** Learns which file a stream writes to: one after another, as it rotates them. */
  #follow(stream: RotatingFileStream, path: string): void {
    let turn = 0
    const writes = (file: string | undefined) => {
      if (this.#stream === stream) this.#written = file
    }
    stream.on("rotation", () => {
      turn++
      writes(undefined)
    })
    stream.on("open", () => {
      const opened = ++turn
      void identityOf(path).then((file) => {
        if (turn === opened) writes(file)
      })
    })
  }

  #fail(stream: RotatingFileStream, error: Error): void {
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#written = undefined
    this.#failedAt = Date.now()
    if (this.#hasComplained) return
    this.#hasComplained = true
    const { path, otherwise } = this.#options
    otherwise(
      `cannot write the log file ${path}: ${reasonToFail(path, error)}; logging to standard error instead\n`,
    )
  }
}

/** What the stream itself says of a folder or a pipe is its own text, without a code. */
function reasonToFail(path: string, error: Error): string {
  try {
    const facts = statSync(path, { throwIfNoEntry: false })
    if (facts?.isDirectory()) return "it is a folder, not a file"
    if (facts !== undefined && !facts.isFile()) return "it is a pipe or a device, not a file"
  } catch {
    // The stream's own error says the same.
  }
  return reasonOf(error)
}

/** What no file is. */
const NOWHERE = "nowhere"

/** Tells files apart, whatever they are called. */
async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino } = await stat(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return NOWHERE
  }
}

function isoDay(time: number | Date): string {
  return new Date(time).toISOString().slice(0, 10)
}
