import type { ModelKind, ModelSummary } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import type { XllmError } from "../../errors/base"
import type { Logger } from "../../log/logger"
import type { FailedModel, LiveOptions } from "../contract"
import { isSameLoad, toLoadSettings } from "../model-kinds"
import type { EngineObserver, UnloadReason } from "../observer"
import { mostStepMs, type Timeouts } from "../process/timeouts"
import type { LoadedWeights } from "../residency/mapped-weights"
import type { MemoryReader } from "../residency/memory-reader"
import type { Pool } from "../residency/pool"
import { ModelVersion } from "./model-version"
import { Replica, type ReplicaListener } from "./replica"
import { ReplicaSet } from "./replica-set"

/** Delay before another attempt, after an additional replica failed to load. */
const REPLICA_RETRY_MS = 30_000

export interface SupervisorOptions {
  readonly pool: Pool
  readonly memory: MemoryReader
  readonly runtimeFolder: string
  /** Each version of a model has a folder below this one for files derived from its own. */
  readonly derivedFolder: string
  /** Command line of a worker. */
  readonly commandOf: (kind: ModelKind) => readonly string[]
  readonly limitsOf: (kind: ModelKind) => Timeouts
  /** For how long a process may write prompts to disk before it ends, at present. */
  readonly saveMs: () => number
  /** The current options. */
  readonly live: () => LiveOptions
  readonly observer: EngineObserver | undefined
  readonly log: Logger
}

/** What requests that wait for a worker need to know of the workers. */
export interface SupervisorListener extends Pick<
  ReplicaListener,
  "placed" | "waits" | "ready" | "resumed" | "freed" | "unloading"
> {
  /** No worker is ready yet. */
  loading(fraction: number): void
  /** No worker is left, and the last one could not be loaded. */
  failed(error: XllmError): void
  /** A worker of the present version crashed. */
  crashed(): void
}

/**
 * The workers of one model: as many as it should have, of the version that its name stands for at present, and those of
 * former versions until they are done. Knows why none is there; others decide when one is needed.
 */
export class ReplicaSupervisor {
  readonly replicas = new ReplicaSet((number) => this.#make(number))
  readonly #options: SupervisorOptions
  readonly #owner: SupervisorListener
  readonly #version: ModelVersion
  /** Those that the pool knows to be in use. */
  readonly #inUse = new Set<Replica>()
  #retryReplicasAt = 0
  /** Why the last load failed or the last worker ended; undefined once one is ready or no longer wanted. */
  #failure: { readonly error: XllmError; readonly at: Date } | undefined

  constructor(summary: ModelSummary, options: SupervisorOptions, owner: SupervisorListener) {
    this.#version = new ModelVersion(summary)
    this.#options = options
    this.#owner = owner
  }

  get summary(): ModelSummary {
    return this.#version.summary
  }

  get settings(): ModelSettings {
    return this.#version.settingsBy(this.#options.live().settingsOf)
  }

  get isReady(): boolean {
    return this.replicas.ready !== undefined
  }

  /**
   * The store's answer to lookup number `lookup`. Returns true for another version: the old workers get no more requests
   * and end once they finish the running ones.
   */
  update(summary: ModelSummary, lookup: number): boolean {
    if (!this.#version.take(summary, lookup)) return false
    const { name, path, id } = summary
    this.#options.log.info("model changed", { model: name, path, id })
    this.#retire()
    return true
  }

  /** Lookup number `lookup` found no such model. Returns false where a later one did. */
  removed(lookup: number): boolean {
    if (!this.#version.end(lookup)) return false
    this.#options.log.info("model removed", { model: this.summary.name })
    this.#retire()
    return true
  }

  /** Requests all workers that the model should have. */
  want(): void {
    const { replicas } = this.settings
    const mayAdd = performance.now() >= this.#retryReplicasAt
    for (let number = 1; number <= (mayAdd ? Math.max(1, replicas) : 1); number++) {
      this.#options.pool.want(this.replicas.at(number))
    }
  }

  /** Withdraws the request for workers that are not loading yet. */
  unwant(): void {
    for (const replica of this.replicas.current) this.#options.pool.unwant(replica)
  }

  /** Ends all workers. Resolves once they are gone, to false where there were none. */
  async stop(reason: UnloadReason): Promise<boolean> {
    const { alive } = this.replicas
    const gone = alive.map(({ whenGone }) => whenGone)
    for (const replica of this.replicas) this.#options.pool.stop(replica, reason)
    this.#failure = undefined
    await Promise.all(gone)
    return alive.length > 0
  }

  /**
   * Tells the pool which workers are in use. Always the last step of a change: a worker that has just become free may
   * already have the next request.
   */
  reportUse(keepAliveMs: number | null): void {
    for (const replica of this.replicas) {
      if (replica.info === undefined || replica.inUse === this.#inUse.has(replica)) continue
      if (replica.inUse) {
        this.#inUse.add(replica)
        this.#options.pool.busy(replica)
      } else {
        this.#inUse.delete(replica)
        this.#options.pool.idle(replica, keepAliveMs)
      }
    }
  }

  /** Counts as a use of those that are idle. */
  touch(keepAliveMs: number | null): void {
    for (const replica of this.replicas.current)
      if (!replica.inUse) this.#options.pool.idle(replica, keepAliveMs)
  }

  /** Applies a changed keep-alive. */
  keepFor(keepAliveMs: number | null): void {
    for (const replica of this.replicas.current) this.#options.pool.keepFor(replica, keepAliveMs)
  }

  /** The weights that its workers hold. */
  get loadedWeights(): readonly LoadedWeights[] {
    return this.replicas.alive.flatMap(({ model, info, loadState: { plan } }) =>
      info === undefined || plan === undefined
        ? []
        : {
            path: model.path,
            ...(model.parts !== undefined && { parts: model.parts }),
            info,
            settings: plan.wanted,
          },
    )
  }

  /** The current problem, as text; undefined where there is none. */
  get problem(): string | undefined {
    if (this.#failure !== undefined) return this.#failure.error.publicMessage
    const { replicas } = this.settings
    const alive = this.replicas.current.filter(({ state }) => state === "loading" || state === "ready").length
    return alive > 0 && alive < replicas
      ? `model '${this.summary.name}' has ${alive} of ${replicas} replicas`
      : undefined
  }

  /** Set while nothing is loaded because the load failed. */
  get failed(): FailedModel | undefined {
    if (this.#failure === undefined || this.replicas.serves()) return undefined
    const { name, kind, id } = this.summary
    return { name, kind, id, error: this.#failure.error, failedAt: this.#failure.at }
  }

  /** Do current settings differ from those it was loaded with? */
  get isOutdated(): boolean {
    const next = toLoadSettings(this.settings)
    return this.replicas.current.some(
      ({ state, loadState: { plan } }) =>
        state !== undefined && plan !== undefined && !isSameLoad(plan.wanted, next),
    )
  }

  readonly #listener: ReplicaListener = {
    placed: (replica) => this.#owner.placed(replica),
    waits: (replica) => this.#owner.waits(replica),
    resumed: (replica) => this.#owner.resumed(replica),
    freed: (replica) => this.#owner.freed(replica),
    loading: (_replica, fraction) => {
      if (!this.isReady) this.#owner.loading(fraction)
    },
    ready: (replica) => {
      this.#failure = undefined
      // The pool counts it as busy until it is reported to be idle.
      this.#inUse.add(replica)
      this.#owner.ready(replica)
    },
    refused: (_replica, error) => {
      this.#fail(error)
      if (!this.replicas.serves()) this.#owner.failed(error)
    },
    declined: () => this.#retryLater(),
    loadFailed: (replica, error) => {
      if (!this.replicas.isCurrent(replica)) return
      this.#fail(error)
      if (replica.number > 1) this.#retryLater()
      if (!this.replicas.serves(replica)) this.#owner.failed(error)
    },
    crashed: (replica, error) => {
      this.#inUse.delete(replica)
      if (!this.replicas.isCurrent(replica)) return
      this.#fail(error)
      this.#owner.crashed()
    },
    unloading: (replica, reason) => {
      this.#inUse.delete(replica)
      this.#owner.unloading(replica, reason)
    },
    ended: (replica) => this.replicas.forget(replica),
  }

  #fail(error: XllmError): void {
    this.#failure = { error, at: new Date() }
  }

  #retryLater(): void {
    this.#retryReplicasAt = performance.now() + REPLICA_RETRY_MS
  }

  /** The present workers get no more requests, and end once they finish. */
  #retire(): void {
    const before = this.replicas.renew()
    this.#failure = undefined
    this.#retryReplicasAt = 0
    for (const replica of before) this.#options.pool.retire(replica)
  }

  #make(number: number): Replica {
    const { pool, memory, saveMs, runtimeFolder, derivedFolder, commandOf, limitsOf, log, observer } =
      this.#options
    const { name, kind } = this.summary
    const limits = limitsOf(kind)
    return new Replica({
      id: `${name}#${number}.${this.#version.number}`,
      model: this.summary,
      worker: { model: name, replica: number },
      settings: () => this.settings,
      pool,
      memory,
      saveMs,
      labels: { model: name, ...(this.settings.replicas > 1 && { replica: number }) },
      runtimeFolder,
      derivedFolder,
      command: commandOf(kind),
      limits,
      mostStepMs: () => mostStepMs(limits, this.settings),
      log,
      observer,
      listener: this.#listener,
    })
  }
}
