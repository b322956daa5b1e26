import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ModelSummary } from "../../../src/domain/model"
import { createStore, type StoreOptions } from "../../../src/store"
import type { Store } from "../../../src/store/contract"
import { KeyFolder } from "../../../src/store/keys"
import type { PullEvent } from "../../../src/store/pull/events"
import { Puller, type PullOptions } from "../../../src/store/pull/pull"
import type { Patience } from "../../../src/store/pull/transfer/retry"
import { type TinyModelOptions, writeTinyModel } from "../files/tiny-model"
import { tempFolder } from "../temp-folder"
import { FakeHub } from "./fake-hub"
import { FakeRegistry } from "./fake-registry"

/** Retries at once, a few times. */
const HASTY: Patience = {
  attempts: 4,
  firstDelayMs: 1,
  longestDelayMs: 4,
  longestRetryAfterMs: 1000,
  stallMs: 20_000,
}

/** A hub, a registry, an empty models folder and a puller. */
export class PullScene implements AsyncDisposable {
  readonly hub: FakeHub
  readonly registry: FakeRegistry
  readonly store: Store
  readonly keys: KeyFolder
  readonly events: PullEvent[] = []
  readonly folder: ReturnType<typeof tempFolder>
  hubToken: string | undefined

  private constructor(hub: FakeHub, registry: FakeRegistry, options: Pick<StoreOptions, "aliases">) {
    this.hub = hub
    this.registry = registry
    this.folder = tempFolder()
    this.keys = new KeyFolder(join(this.folder.path, "keys"))
    this.store = createStore({ modelsFolder: join(this.folder.path, "models"), ...options })
  }

  static async create(options: Pick<StoreOptions, "aliases"> = {}): Promise<PullScene> {
    return new PullScene(await FakeHub.start(), await FakeRegistry.start(), options)
  }

  async pull(
    model: string,
    { verify = false, ...options }: Partial<PullOptions> & { readonly verify?: boolean } = {},
  ): Promise<ModelSummary> {
    const signal = new AbortController().signal
    return await this.puller(verify).pull({
      model,
      signal,
      onEvent: (event) => this.events.push(event),
      ...options,
    })
  }

  puller(verify = false): Puller {
    return new Puller({
      keys: this.keys,
      verify,
      store: this.store,
      sources: {
        huggingFace: this.hub.url,
        huggingFaceToken: this.hubToken,
        ollamaRegistry: this.registry.url,
        tokenHosts: [],
      },
      patience: HASTY,
      connections: 4,
    })
  }

  /** The notes in the pulls' events. */
  get notes(): readonly string[] {
    return this.events.flatMap((event) => (event.type === "note" ? [event.text] : []))
  }

  get statuses(): readonly string[] {
    return this.events.flatMap((event) => (event.type === "status" ? [event.status] : []))
  }

  async filesOf(name: string): Promise<readonly { readonly name: string; readonly role: string }[]> {
    const manifest = await this.store.manifest(name)
    return (manifest?.files ?? []).map(({ name, role }) => ({ name, role }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub[Symbol.asyncDispose]()
    await this.registry[Symbol.asyncDispose]()
    this.folder[Symbol.dispose]()
  }
}

/** The file of a small text model. */
export function tinyModelBytes(options: TinyModelOptions = {}): Uint8Array {
  using folder = tempFolder()
  const path = join(folder.path, "tiny.gguf")
  writeTinyModel(path, options)
  return readFileSync(path)
}
