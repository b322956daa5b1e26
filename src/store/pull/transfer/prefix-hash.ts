import type { FileHandle } from "node:fs/promises"
import type { Digest } from "../../managed/manifest"

/** Bytes hashed at a time: about 0.5 ms, so that the event loop stays free. */
const CHUNK_BYTES = 512 * 1024

/** Hashes of a file's content. */
export interface ContentNames {
  readonly digest: Digest
  /** Git's object id of the content, hex; only where the size was known from the start. */
  readonly gitOid: string | undefined
}

/**
 * Hashes a file in order while it is written in parts, up to the first gap. It reads recently written data back, so
 * that nothing is buffered, and catches up with data from an earlier process.
 */
export class PrefixHash {
  readonly #file: FileHandle
  readonly #sha256 = new Bun.CryptoHasher("sha256")
  readonly #git: Bun.CryptoHasher | undefined
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  #hashed = 0
  /** Length of the gapless part of the file. */
  #end = 0
  #work: Promise<void> | undefined
  #failure: unknown

  constructor(file: FileHandle, sizeBytes: number | undefined) {
    this.#file = file
    if (sizeBytes !== undefined) this.#git = new Bun.CryptoHasher("sha1").update(`blob ${sizeBytes}\0`)
  }

  /** Bytes hashed so far. */
  get hashedBytes(): number {
    return this.#hashed
  }

  /** Declares the file present up to `end`. Returns at once; hashing continues in the background. */
  advance(end: number): void {
    this.#end = Math.max(this.#end, end)
    if (this.#hashed < this.#end) this.#work ??= this.#catchUp()
  }

  /** Resolves to the hashes of the first `end` bytes. @throws the file system's error */
  async finish(end: number): Promise<ContentNames> {
    this.advance(end)
    while (this.#work !== undefined) await this.#work
    if (this.#failure !== undefined) throw this.#failure
    return { digest: `sha256:${this.#sha256.digest("hex")}`, gitOid: this.#git?.digest("hex") }
  }

  async #catchUp(): Promise<void> {
    try {
      while (this.#hashed < this.#end) await this.#hashNext()
    } catch (error) {
      this.#failure = error
    } finally {
      this.#work = undefined
    }
  }

  async #hashNext(): Promise<void> {
    const wanted = Math.min(CHUNK_BYTES, this.#end - this.#hashed)
    const { bytesRead } = await this.#file.read(this.#buffer, 0, wanted, this.#hashed)
    if (bytesRead === 0) throw new Error(`the file ends at ${this.#hashed} although it was written further`)
    const bytes = this.#buffer.subarray(0, bytesRead)
    this.#sha256.update(bytes)
    this.#git?.update(bytes)
    this.#hashed += bytesRead
  }
}
