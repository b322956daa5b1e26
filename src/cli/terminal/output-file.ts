import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { FileFailed } from "../../errors/store"
import type { Io } from "./io"

/** Where a command writes its result. */
export interface OutputTarget extends AsyncDisposable {
  /** The file's path; undefined for stdout. */
  readonly path: string | undefined
  write(bytes: Uint8Array): Promise<void>
  /** Overwrites earlier bytes, if the target supports it. */
  rewrite(position: number, bytes: Uint8Array): Promise<void>
  /** Completes the output: only then does a file get its name; otherwise it is discarded. */
  finish(): Promise<void>
}

/** Stdout, for binary output. */
export function stdoutOutput(io: Io): OutputTarget {
  return {
    path: undefined,
    write: async (bytes) => io.writeBytes(bytes),
    rewrite: async () => {},
    finish: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

/**
 * Writes to a temporary file beside the target, so that an existing file stays until the new one is complete; a
 * symbolic link is followed. Anything but a regular file, such as a pipe, is written to directly.
 * @throws FileFailed if it cannot be written; so do the methods of the result
 */
export async function fileOutput(given: string): Promise<OutputTarget> {
  try {
    const path = await realpath(given).catch(() => resolve(given))
    const isPlain = await stat(path).then(
      (facts) => facts.isFile(),
      () => true,
    )
    const written = isPlain ? join(dirname(path), `.${basename(path)}.${process.pid}.part`) : path
    return new FileOutput(resolve(given), path, written, await open(written, "w"))
  } catch (error) {
    throw new FileFailed("write", given, error)
  }
}

class FileOutput implements OutputTarget {
  readonly path: string
  /** The final path. */
  readonly #place: string
  readonly #written: string
  readonly #file: FileHandle
  #isFinished = false

  constructor(path: string, place: string, written: string, file: FileHandle) {
    this.path = path
    this.#place = place
    this.#written = written
    this.#file = file
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#telling(() => this.#file.writeFile(bytes))
  }

  async rewrite(position: number, bytes: Uint8Array): Promise<void> {
    if (this.#written === this.#place) return
    await this.#telling(() => this.#file.write(bytes, 0, bytes.byteLength, position))
  }

  async finish(): Promise<void> {
    await this.#telling(async () => {
      await this.#file.close()
      if (this.#written !== this.#place) await rename(this.#written, this.#place)
    })
    this.#isFinished = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return
    await this.#file.close().catch(() => {})
    if (this.#written !== this.#place) await rm(this.#written, { force: true })
  }

  async #telling(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw new FileFailed("write", this.path, error)
    }
  }
}
