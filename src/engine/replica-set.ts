import type { Admission } from "./admission"
import type { Replica } from "./replica"
import { chooseReplica } from "./replicas"

/** The workers of one model: every replica that was ever needed, with a process or without. */
export class ReplicaSet {
  /** From the first replica on. */
  readonly #all: Replica[] = []
  readonly #make: (number: number) => Replica

  constructor(make: (number: number) => Replica) {
    this.#make = make
  }

  [Symbol.iterator](): Iterator<Replica> {
    return this.#all[Symbol.iterator]()
  }

  /** The n-th one, from 1; made where it was never needed before. Those before it must exist. */
  at(number: number): Replica {
    const known = this.#all[number - 1]
    if (known !== undefined) return known
    const replica = this.#make(number)
    this.#all.push(replica)
    return replica
  }

  /** Those that have a process, be it on its way out. */
  get alive(): readonly Replica[] {
    return this.#all.filter(({ state }) => state !== undefined)
  }

  /** Any that is ready. */
  get ready(): Replica | undefined {
    return this.#all.find(({ info }) => info !== undefined)
  }

  /** Is any ready, or on its way up, but `except`? */
  serves(except?: Replica): boolean {
    return this.#all.some((each) => each !== except && (each.state === "ready" || each.state === "loading"))
  }

  get runningCount(): number {
    return this.#all.reduce((sum, { runningCount }) => sum + runningCount, 0)
  }

  get freeSlots(): number {
    return this.#all.reduce((sum, { slots, taken }) => sum + Math.max(0, slots - taken), 0)
  }

  get inUse(): boolean {
    return this.#all.some((replica) => replica.inUse)
  }

  /** How much is loaded of the one that is nearest to being ready, from 0 to 1. */
  get progress(): number {
    return Math.max(0, ...this.#all.map(({ progress }) => progress))
  }

  /** The one that a request is to run in; undefined where it has to wait. */
  for(admission: Admission): Replica | undefined {
    const open = this.#all.filter(
      ({ info, taken, slots, heldSince }) =>
        info !== undefined && taken < slots && (heldSince === undefined || admission.arrivedAt <= heldSince),
    )
    if (this.#all.length === 1) return open[0]
    const { links } = admission
    const chosen = chooseReplica(
      open.map((replica) => ({
        replica: replica.number,
        running: replica.taken,
        slots: replica.slots,
        match: replica.match(links),
      })),
    )
    const replica = open.find(({ number }) => number === chosen)
    replica?.remember(links)
    return replica
  }
}
