import { Semaphore } from "../../lib/async/semaphore"
import type { Blob, Blobs } from "../contract"
import type { ManifestFile } from "../managed/manifest"
import type { PullEvent } from "./events"
import type { PlannedFile, PullPlan } from "./plan"
import { checkDiskSpace } from "./transfer/disk-space"
import { fetchBlob, type FetchOptions, partialKey } from "./transfer/fetch-blob"
import { partialBytes } from "./transfer/partial-file"
import type { RemoteFile } from "./transfer/remote-file"
import type { SourceContext } from "./transfer/source-context"

/** Files fetched in parallel: speech models come with hundreds of small ones. */
const FILES_AT_ONCE = 4

type OnEvent = (event: PullEvent) => void

/** Fetches the files of plans into a store's blobs. Downloads that were interrupted are resumed (`transfer/`). */
export class FileDownloads {
  readonly #blobs: Blobs
  readonly #mostConnections: number
  readonly #connections: Semaphore

  /** `connections`: their maximum number, for all pulls together. */
  constructor(blobs: Blobs, connections: number) {
    this.#blobs = blobs
    this.#mostConnections = connections
    this.#connections = new Semaphore(connections)
  }

  /** @throws DiskFull where what is missing does not fit */
  async checkSpace({ files }: PullPlan): Promise<void> {
    const blobs = this.#blobs
    const missing = new Map<string, number>()
    for (const { remote } of files) {
      const { digest, sizeBytes = 0 } = remote
      if (digest !== undefined && (await blobs.has(digest))) continue
      const key = partialKey(remote)
      missing.set(key, sizeBytes - (await partialBytes(blobs.partialFolder, key)))
    }
    const neededBytes = [...missing.values()].reduce((sum, bytes) => sum + bytes, 0)
    await checkDiskSpace(blobs.partialFolder, neededBytes)
  }

  /** Fetches the files that are missing, several at once. The first failure ends all of them. */
  async fetchAll(
    { files }: Pick<PullPlan, "files">,
    context: SourceContext,
    onEvent: OnEvent,
  ): Promise<readonly ManifestFile[]> {
    const report = ({ remote, name }: PlannedFile, completed: number, total: number | undefined) =>
      onEvent({ type: "progress", ...namesOf(remote, name), files: files.length, total, completed })
    for (const file of files) report(file, 0, file.remote.sizeBytes)
    const stop = new AbortController()
    const signal = AbortSignal.any([context.signal, stop.signal])
    const places = new Semaphore(FILES_AT_ONCE)
    const fetches = files.map(async (file): Promise<ManifestFile> => {
      using _place = await places.acquire(signal)
      const onProgress = (completed: number, total: number | undefined) => report(file, completed, total)
      const blob = await this.#fetch(file, { ...context, signal }, { onEvent, onProgress })
      return { name: file.name, role: file.role, ...blob }
    })
    // The first failure ends all; all are awaited, so that none is still writing.
    const settled = await Promise.allSettled(
      fetches.map((fetch) =>
        fetch.catch((error: unknown) => {
          stop.abort(error)
          throw error
        }),
      ),
    )
    if (stop.signal.aborted) throw stop.signal.reason
    return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []))
  }

  async #fetch(
    { remote, name, inspect }: PlannedFile,
    context: SourceContext,
    { onEvent, onProgress }: { readonly onEvent: OnEvent } & Pick<FetchOptions, "onProgress">,
  ): Promise<Blob> {
    const note = (text: string) => onEvent({ type: "note", text })
    let hasWaited = false
    return await fetchBlob(remote, {
      blobs: this.#blobs,
      client: context.client,
      connections: this.#connections,
      mostConnections: this.#mostConnections,
      patience: context.patience,
      signal: context.signal,
      onProgress,
      inspect,
      onWait: () => {
        if (!hasWaited) note(`${name} is already being downloaded; waiting for it`)
        hasWaited = true
      },
      onNote: note,
    })
  }
}

function namesOf(remote: RemoteFile, name: string) {
  const { digest } = remote
  const short = digest?.slice("sha256:".length, "sha256:".length + 12)
  return { id: partialKey(remote), status: `pulling ${short ?? name}`, digest }
}
