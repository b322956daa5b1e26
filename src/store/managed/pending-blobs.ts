import { lockStore, type StoreLayout } from "../layout"
import { openHolding, type Workspace } from "../workspace"
import type { Digest } from "./manifest"

/**
 * Blobs that this process has added and not yet installed. Other processes, which free what no manifest names, see them
 * as held until then, or until this process ends.
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
   * To be called before a look whether the blob is there already. What fails leaves nothing behind.
   * @throws StoreBusy, ModelsFolderUnwritable, the file system's error
   */
  async add(digest: Digest): Promise<void> {
    // Under the lock: whoever frees blobs right now has either finished, or will see it.
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

  /** A manifest names them now, or none ever will. */
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
    // Where that fails, because the disk is full, some are held longer than they need be.
    await workspace
      .then((open) => (rest.length === 0 ? open[Symbol.asyncDispose]() : open.hold(rest)))
      .catch(() => {})
  }
}
