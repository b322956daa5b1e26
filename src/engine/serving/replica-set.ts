import { chooseReplica } from "./choose-replica"
import type { QueuedRequest } from "./queued-request"
import type { Replica } from "./replica"

/**
 * The workers of one model: of its present version every replica that was ever needed, with a process or without, and of
 * former versions those whose process is not gone yet.
 */
export class ReplicaSet {
  /** From the first replica on. */
  #current: Replica[] = []
  readonly #former = new Set<Replica>()
  readonly #make: (number: number) => Replica

  constructor(make: (number: number) => Replica) {
    this.#make = make
  }

  /** All of them, those of former versions last. */
  [Symbol.iterator](): Iterator<Replica> {
    return [...this.#current, ...this.#former][Symbol.iterator]()
  }

  /** Those of the present version. */
  get current(): readonly Replica[] {
    return this.#current
  }

  /** The n-th one, from 1; made where it was never needed before. Those before it must exist. */
  at(number: number): Replica {
    const known = this.#current[number - 1]
    if (known !== undefined) return known
    const replica = this.#make(number)
    this.#current.push(replica)
    return replica
  }

  /** There is a new version: all that there are become former ones, and are returned. Those without a process are forgotten. */
  renew(): readonly Replica[] {
    const before = this.#current
    for (const replica of before) if (replica.state !== undefined) this.#former.add(replica)
    this.#current = []
    return before
  }

  /** Its process is gone; true where it was one of a former version, which is forgotten. */
  forget(replica: Replica): boolean {
    return this.#former.delete(replica)
  }

  isCurrent(replica: Replica): boolean {
    return this.#current.includes(replica)
  }

  /** Those that have a process, be it on its way out. */
  get alive(): readonly Replica[] {
    return [...this].filter(({ state }) => state !== undefined)
  }

  /** Any of the present version that is ready. */
  get ready(): Replica | undefined {
    return this.#current.find(({ info }) => info !== undefined)
  }

  /** Is any of the present version ready, or on its way up, but `except`? */
  serves(except?: Replica): boolean {
    return this.#current.some(
      (each) => each !== except && (each.state === "ready" || each.state === "loading"),
    )
  }

  get runningCount(): number {
    return [...this].reduce((sum, { runningCount }) => sum + runningCount, 0)
  }

  get freeSlots(): number {
    return this.#current.reduce((sum, { slots, taken }) => sum + Math.max(0, slots - taken), 0)
  }

  get inUse(): boolean {
    return [...this].some((replica) => replica.inUse)
  }

  /** How much is loaded of the one that is nearest to being ready, from 0 to 1. */
  get progress(): number {
    return Math.max(0, ...this.#current.map(({ progress }) => progress))
  }

  /** The one that a request is to run in; undefined where it has to wait. */
  for(queuedRequest: QueuedRequest): Replica | undefined {
    const open = this.#current.filter(
      ({ info, taken, slots, heldSince }) =>
        info !== undefined &&
        taken < slots &&
        (heldSince === undefined || queuedRequest.arrivedAt <= heldSince),
    )
    if (this.#current.length === 1) return open[0]
    const { hashes } = queuedRequest
    const chosen = chooseReplica(
      open.map((replica) => ({
        replica: replica.number,
        running: replica.taken,
        slots: replica.slots,
        match: replica.match(hashes),
      })),
    )
    const replica = open.find(({ number }) => number === chosen)
    replica?.remember(hashes)
    return replica
  }
}
