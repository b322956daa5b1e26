import { lockStore, type StoreLayout } from "../layout"
import { openHolding, type Workspace } from "../workspace"
import type { Digest } from "./manifest"

/**
 * Blobs that this process has added and not yet installed. Other processes, which free blobs that no manifest
 * names, see them as held until they are installed or this process ends.
 */
export class PendingBlobs {
  readonly #layout: StoreLayout
  /** How often each was added. */
  readonly #added = new Map<Digest, number>()
  #workspace: Promise<Workspace> | undefined

  constructor(layout: StoreLayout) {
    this.#layout = layout
  }

  /**
   * Call it before checking whether the blob exists. Undone if it fails.
   * @throws StoreBusy, ModelsFolderUnwritable, the file system's error
   */
  async add(digest: Digest): Promise<void> {
    // Under the lock: a process freeing blobs has either finished or will see this one.
    using _lock = await lockStore(this.#layout)
    this.#added.set(digest, (this.#added.get(digest) ?? 0) + 1)
    try {
      const digests = [...this.#added.keys()]
      this.#workspace ??= openHolding(this.#layout.temporary, [])
      await (await this.#workspace).hold(digests)
    } catch (error) {
      await this.settle([digest])
      throw error
    }
  }

  /** A manifest names them now, or never will. */
  async settle(digests: readonly Digest[]): Promise<void> {
    for (const digest of digests) {
      const times = this.#added.get(digest) ?? 0
      if (times > 1) this.#added.set(digest, times - 1)
      else this.#added.delete(digest)
    }
    const workspace = this.#workspace
    if (workspace === undefined) return
    if (this.#added.size === 0) this.#workspace = undefined
    const rest = [...this.#added.keys()]
    // If that fails, because the disk is full, some blobs are held longer than necessary.
    await workspace
      .then((open) => (rest.length === 0 ? open[Symbol.asyncDispose]() : open.hold(rest)))
      .catch(() => {})
  }
}
