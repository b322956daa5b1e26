import { lockStore, type StoreLayout } from "./layout"
import type { Digest } from "./manifest"
import { openWorkspace, type Workspace } from "./workspace"

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

  /** To be called before a look whether the blob is there already. @throws StoreBusy, ModelsFolderUnwritable */
  async add(digest: Digest): Promise<void> {
    const times = this.#added.get(digest) ?? 0
    this.#added.set(digest, times + 1)
    // Under the lock: whoever frees blobs right now has either finished, or will see it.
    using _lock = await lockStore(this.#layout)
    this.#workspace ??= openWorkspace(this.#layout.temporary)
    await (await this.#workspace).hold([...this.#added.keys()])
  }

  /** A manifest names them now. */
  async settle(digests: readonly Digest[]): Promise<void> {
    for (const digest of digests) {
      const times = this.#added.get(digest) ?? 0
      if (times > 1) this.#added.set(digest, times - 1)
      else this.#added.delete(digest)
    }
    const workspace = this.#workspace
    if (workspace === undefined) return
    if (this.#added.size > 0) return await (await workspace).hold([...this.#added.keys()])
    this.#workspace = undefined
    await (await workspace)[Symbol.asyncDispose]()
  }
}
