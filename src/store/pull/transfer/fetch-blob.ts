import { rm, stat } from "node:fs/promises"
import { Unsupported } from "../../../errors/request"
import { ChecksumMismatch } from "../../../errors/store"
import type { Semaphore } from "../../../lib/async/semaphore"
import type { Blob, Blobs } from "../../contract"
import { download, SourceChanged } from "./download"
import { lockDownload } from "./download-lock"
import { finishedAs, rememberFinished } from "./finished"
import type { HttpClient } from "./http-client"
import { dropOtherVersions } from "./leftovers"
import { PartialFile } from "./partial-file"
import type { RemoteFile } from "./remote-file"
import type { Patience } from "./retry"

export interface FetchOptions {
  readonly blobs: Blobs
  readonly client: HttpClient
  readonly connections: Semaphore
  readonly mostConnections: number
  readonly patience: Patience
  readonly signal: AbortSignal
  readonly onProgress: (completedBytes: number, totalBytes: number | undefined) => void
  /** See {@link download}. */
  readonly inspect?: ((path: string, prefixBytes: number) => void) | undefined
  /** Called while another process, or another pull of this one, downloads the same file. */
  readonly onWait: () => void
  readonly onNote: (text: string) => void
}

/**
 * The blob with a remote file's content: the present one, or a downloaded one, resuming an earlier download.
 * Concurrent calls for the same file wait and share the result.
 * @throws SourceChanged (then nothing is kept), and the errors of {@link download}
 */
export async function fetchBlob(file: RemoteFile, options: FetchOptions): Promise<Blob> {
  const { blobs, signal, onProgress } = options
  const ready = await knownBlob(file, blobs)
  if (ready !== undefined) {
    onProgress(ready.sizeBytes, ready.sizeBytes)
    return ready
  }
  const key = partialKey(file)
  await using _lock = await lockDownload(blobs.partialFolder, key, options.onWait, signal)
  const madeByOther = await knownBlob(file, blobs)
  if (madeByOther !== undefined) {
    onProgress(madeByOther.sizeBytes, madeByOther.sizeBytes)
    return madeByOther
  }
  const partial = await openPartial(file, key, options)
  return await fetchInto(partial, file, options)
}

/** The name of a file's download in the folder of partial files. */
export function partialKey({ digest, reference }: Pick<RemoteFile, "digest" | "reference">): string {
  if (digest !== undefined) return digest.replace(":", "-")
  return `named-${new Bun.CryptoHasher("sha256").update(reference).digest("hex").slice(0, 40)}`
}

async function openPartial(
  file: RemoteFile,
  key: string,
  { blobs, onNote }: FetchOptions,
): Promise<PartialFile> {
  const { reference, sizeBytes, label } = file
  const hadOther = await dropOtherVersions(blobs.partialFolder, key, reference)
  const partial = await PartialFile.open(blobs.partialFolder, key, { reference, sizeBytes, etag: file.etag })
  if (hadOther || partial.replacesOther) {
    onNote(`${label} has changed at its source since its download began; downloading it again`)
  }
  return partial
}

async function fetchInto(partial: PartialFile, file: RemoteFile, options: FetchOptions): Promise<Blob> {
  const { blobs, onProgress } = options
  let isOver = false
  try {
    const { digest, sizeBytes } = await download(file, partial, {
      ...options,
      onProgress: (completed) => onProgress(completed, file.sizeBytes),
    })
    isOver = true
    await partial.close()
    const blob = await blobs.addFile(partial.path, { move: true, digest })
    await partial.forget()
    if (file.digest === undefined) await rememberFinished(blobs.partialFolder, partialKey(file), file, digest)
    onProgress(sizeBytes, sizeBytes)
    return blob
  } catch (error) {
    if ([ChecksumMismatch, SourceChanged, Unsupported].some((useless) => error instanceof useless)) {
      isOver = true
      await partial.discard()
    }
    throw error
  } finally {
    if (!isOver) await partial.close()
  }
}

/** The present blob of the file: by its declared digest, or by an earlier download of the same version. */
async function knownBlob(file: RemoteFile, blobs: Blobs): Promise<Blob | undefined> {
  const digest = file.digest ?? (await finishedAs(blobs.partialFolder, partialKey(file), file))
  return await blobOf({ ...file, digest }, blobs)
}

/** A blob whose size differs from the declared one is damaged, and is replaced. */
async function blobOf({ digest, sizeBytes }: RemoteFile, blobs: Blobs): Promise<Blob | undefined> {
  if (digest === undefined || !(await blobs.has(digest))) return undefined
  const path = blobs.pathOf(digest)
  const { size } = await stat(path)
  if (sizeBytes === undefined || size === sizeBytes) return { digest, sizeBytes: size }
  await rm(path, { force: true })
  return undefined
}
