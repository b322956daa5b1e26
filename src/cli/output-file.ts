import { lstat, open, rename, rm, type FileHandle } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { FileFailed } from "../errors"
import type { Io } from "./io"

/** Where a command's result goes. */
export interface Output extends AsyncDisposable {
  /** The path of the file; undefined for stdout. */
  readonly path: string | undefined
  write(bytes: Uint8Array): Promise<void>
  /** Changes what was written, where that can be done. */
  rewrite(position: number, bytes: Uint8Array): Promise<void>
  /** All is written: a file gets its name. Without this nothing is left of it. */
  finish(): Promise<void>
}

/** Stdout, for bytes that a program reads. */
export function stdoutOutput(io: Io): Output {
  return {
    path: undefined,
    write: async (bytes) => io.writeBytes(bytes),
    rewrite: async () => {},
    finish: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

/**
 * A file that is written beside its place, so that what was there stays until the new one is whole. What is no plain
 * file, such as a pipe, is written to directly.
 * @throws FileFailed where it cannot be written; so do the methods of the result
 */
export async function fileOutput(given: string): Promise<Output> {
  const path = resolve(given)
  const isPlain = await lstat(path).then(
    (facts) => facts.isFile(),
    () => true,
  )
  const written = isPlain ? join(dirname(path), `.${basename(path)}.${process.pid}.part`) : path
  try {
    return new FileOutput(given, path, written, await open(written, "w"))
  } catch (error) {
    throw new FileFailed("write", given, error)
  }
}

class FileOutput implements Output {
  readonly path: string
  readonly #given: string
  readonly #written: string
  readonly #file: FileHandle
  #isFinished = false

  /** `given`: what messages call it. */
  constructor(given: string, path: string, written: string, file: FileHandle) {
    this.#given = given
    this.path = path
    this.#written = written
    this.#file = file
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#file.writeFile(bytes).catch((error: unknown) => this.#fail(error))
  }

  async rewrite(position: number, bytes: Uint8Array): Promise<void> {
    if (this.#written === this.path) return
    await this.#file.write(bytes, 0, bytes.byteLength, position).catch((error: unknown) => this.#fail(error))
  }

  async finish(): Promise<void> {
    try {
      await this.#file.close()
      if (this.#written !== this.path) await rename(this.#written, this.path)
    } catch (error) {
      this.#fail(error)
    }
    this.#isFinished = true
  }

  #fail(error: unknown): never {
    throw new FileFailed("write", this.#given, error)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return
    await this.#file.close().catch(() => {})
    if (this.#written !== this.path) await rm(this.#written, { force: true })
  }
}
