import { chooseReplica } from "./choose-replica"
import type { QueuedRequest } from "./queued-request"
import type { Replica } from "./replica"

/**
 * The workers of one model: every replica its present version ever needed, with or without a process, and those of
 * former versions that still have one.
 */
export class ReplicaSet {
  /** By number, starting with replica 1. */
  #current: Replica[] = []
  readonly #former = new Set<Replica>()
  readonly #make: (number: number) => Replica

  constructor(make: (number: number) => Replica) {
    this.#make = make
  }

  /** All of them, former versions last. */
  [Symbol.iterator](): Iterator<Replica> {
    return [...this.#current, ...this.#former][Symbol.iterator]()
  }

  /** Replicas of the present version. */
  get current(): readonly Replica[] {
    return this.#current
  }

  /** The n-th replica, from 1; created on first use. Those before it must exist. */
  at(number: number): Replica {
    const known = this.#current[number - 1]
    if (known !== undefined) return known
    const replica = this.#make(number)
    this.#current.push(replica)
    return replica
  }

  /**
   * Starts a new version: all present replicas become former ones and are returned. Those without a process are
   * dropped.
   */
  renew(): readonly Replica[] {
    const before = this.#current
    for (const replica of before) if (replica.state !== undefined) this.#former.add(replica)
    this.#current = []
    return before
  }

  /** Called when its process is gone. Returns true for a replica of a former version, which is dropped. */
  forget(replica: Replica): boolean {
    return this.#former.delete(replica)
  }

  isCurrent(replica: Replica): boolean {
    return this.#current.includes(replica)
  }

  /** Replicas with a live process, including stopping ones. */
  get alive(): readonly Replica[] {
    return [...this].filter(({ state }) => state !== undefined)
  }

  /** Any ready replica of the present version. */
  get ready(): Replica | undefined {
    return this.#current.find(({ info }) => info !== undefined)
  }

  /** Is any replica of the present version other than `except` ready or loading? */
  serves(except?: Replica): boolean {
    return this.#current.some(
      (each) => each !== except && (each.state === "ready" || each.state === "loading"),
    )
  }

  get runningCount(): number {
    return [...this].reduce((sum, { running }) => sum + running.size, 0)
  }

  /** How many requests of the group run. */
  runningOf(group: unknown): number {
    return [...this].reduce((sum, replica) => sum + replica.running.of(group), 0)
  }

  get freeSlots(): number {
    return this.#current.reduce((sum, { slots, running }) => sum + Math.max(0, slots - running.taken), 0)
  }

  get inUse(): boolean {
    return [...this].some((replica) => replica.inUse)
  }

  /** Load progress of the replica closest to ready, from 0 to 1. */
  get progress(): number {
    return Math.max(0, ...this.#current.map(({ progress }) => progress))
  }

  /** The replica for a request; undefined where it has to wait. */
  for(queuedRequest: QueuedRequest): Replica | undefined {
    const open = this.#current.filter((replica) => replica.accepts(queuedRequest))
    if (this.#current.length === 1 || open.length === 0) return open[0]
    const { hashes } = queuedRequest
    const chosen = chooseReplica(
      open.map((replica) => ({
        replica: replica.number,
        // One with more choices than slots still has a turn for others.
        running: Math.min(replica.running.taken, replica.slots - 1),
        slots: replica.slots,
        match: replica.prefixes.match(hashes),
      })),
    )
    const replica = open.find(({ number }) => number === chosen)
    replica?.prefixes.add(hashes)
    return replica
  }
}
