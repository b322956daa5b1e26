import { createReadStream } from "node:fs"
import { constants, copyFile, link, mkdir, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import type { AddFileOptions, Blob, Blobs } from "../contract"
import { withFileFailures } from "../file-failure"
import { syncedWrite, syncFile } from "../fs"
import { blobPath, lockStore, type StoreLayout } from "../layout"
import { openHolding, openWorkspace, type Workspace } from "../workspace"
import type { Digest } from "./manifest"
import { PendingBlobs } from "./pending-blobs"

/** Bytes hashed at a time: about 0.5 ms, so that the event loop stays free. */
const CHUNK_BYTES = 512 * 1024
const FILE_PREFIX = "sha256-"

/** The content-addressed files of installed models. A blob appears complete or not at all, and never changes. */
export class BlobFolder implements Blobs {
  readonly #layout: StoreLayout
  readonly #pending: PendingBlobs
  /** Blobs added by this process and not yet installed. */
  readonly #made = new Set<Digest>()

  constructor(layout: StoreLayout) {
    this.#layout = layout
    this.#pending = new PendingBlobs(layout)
  }

  get partialFolder(): string {
    return this.#layout.partial
  }

  pathOf(digest: Digest): string {
    return blobPath(this.#layout, digest)
  }

  async has(digest: Digest): Promise<boolean> {
    return (await stat(this.pathOf(digest)).catch(() => undefined))?.isFile() ?? false
  }

  addFile(path: string, options: AddFileOptions = {}): Promise<Blob> {
    return withFileFailures(this.#layout, () => this.#addFile(path, options))
  }

  addBytes(bytes: Uint8Array): Promise<Blob> {
    const blob = { digest: digestOfBytes(bytes), sizeBytes: bytes.length }
    return withFileFailures(this.#layout, async () => {
      await this.#addAs(blob.digest, () =>
        this.#make(blob.digest, (temporary) => syncedWrite(temporary, bytes)),
      )
      return blob
    })
  }

  openWorkspace(): Promise<Workspace> {
    return withFileFailures(this.#layout, () => openWorkspace(this.#layout.temporary))
  }

  async hold(digests: readonly Digest[]): Promise<AsyncDisposable> {
    // Under the lock: a process freeing blobs has either finished or will see this one.
    using _lock = await lockStore(this.#layout)
    return await withFileFailures(this.#layout, () => openHolding(this.#layout.temporary, digests))
  }

  /**
   * Ends the protection of added blobs, whose manifest is installed or never will be. Returns those that were new.
   */
  async settle(digests: readonly Digest[]): Promise<readonly Digest[]> {
    await this.#pending.settle(digests)
    return digests.filter((digest) => this.#made.delete(digest))
  }

  async #addFile(
    path: string,
    { move = false, link: mayLink = false, digest }: AddFileOptions,
  ): Promise<Blob> {
    const before = await stat(path)
    if (!before.isFile()) throw new InvalidModelFile(path, "it is not a file")
    const blob = { digest: digest ?? (await digestOfFile(path)), sizeBytes: before.size }
    await this.#addAs(blob.digest, async () => {
      if (move) {
        await syncFile(path)
        if (await this.#rename(path, blob.digest)) return
      }
      await this.#make(blob.digest, async (temporary) => {
        if (mayLink && (await linked(path, temporary))) return
        // Shares the file's blocks where the file system can; a hard link would change with the file.
        await copyFile(path, temporary, constants.COPYFILE_FICLONE)
        const after = await stat(path)
        if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
          throw new InvalidModelFile(path, "it changed while it was read")
        }
        await syncFile(temporary)
      })
    })
    if (move) await rm(path, { force: true })
    return blob
  }

  /** Ensures that a blob exists, created by `make` if missing, and protects it; undone if that fails. */
  async #addAs(digest: Digest, make: () => Promise<void>): Promise<void> {
    await this.#pending.add(digest)
    try {
      if (await this.has(digest)) return
      await make()
      this.#made.add(digest)
    } catch (error) {
      await this.#pending.settle([digest])
      throw error
    }
  }

  async #make(digest: Digest, write: (temporary: string) => Promise<void>): Promise<void> {
    await using workspace = await openWorkspace(this.#layout.temporary)
    const temporary = join(workspace.path, "blob")
    await write(temporary)
    await mkdir(this.#layout.blobs, { recursive: true })
    await rename(temporary, this.pathOf(digest))
  }

  /** Returns false where `path` is on another file system. */
  async #rename(path: string, digest: Digest): Promise<boolean> {
    await mkdir(this.#layout.blobs, { recursive: true })
    try {
      await rename(path, this.pathOf(digest))
      return true
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EXDEV") return false
      throw error
    }
  }
}

/** `undefined` for a file that is not a blob. */
export function digestOfFileName(name: string): Digest | undefined {
  if (!/^sha256-[0-9a-f]{64}$/.test(name)) return undefined
  return `sha256:${name.slice(FILE_PREFIX.length)}`
}

/** Returns false where the file system has no links, or the paths are on different ones. */
async function linked(from: string, to: string): Promise<boolean> {
  return await link(from, to).then(
    () => true,
    () => false,
  )
}

function digestOfBytes(bytes: Uint8Array): Digest {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`
}

/** `onProgress` is called with the number of bytes read. */
export async function digestOfFile(path: string, onProgress?: (bytes: number) => void): Promise<Digest> {
  const hash = new Bun.CryptoHasher("sha256")
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk)
    // Without an encoding, chunks are always buffers.
    bytes += (chunk as Buffer).length
    onProgress?.(bytes)
  }
  return `sha256:${hash.digest("hex")}`
}
