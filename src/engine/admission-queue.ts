/**
 * Who runs and who waits, for one model. A slot is room for one sequence, and a member takes as many as it has
 * sequences (its weight). Strictly first come, first served: the one at the head starts as soon as any slot is free,
 * even where it needs more than that; its other sequences then follow inside the worker as slots get free. So no
 * slot is idle while somebody waits, and a heavy member is never overtaken for ever.
 *
 * Nothing in here waits, and a member that has left is unknown: leaving twice frees its slots once.
 */
export class AdmissionQueue<T> {
  readonly #limit: number
  /** In order of arrival, with weights. */
  readonly #waiting = new Map<T, number>()
  readonly #running = new Map<T, number>()
  #taken = 0

  /** `limit`: how many may wait, apart from those that will start at once when the model has been loaded. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  get runningCount(): number {
    return this.#running.size
  }

  /** Those that wait, in order. */
  waiting(): Iterable<T> {
    return this.#waiting.keys()
  }

  /** Those that run; the iteration may remove them. */
  running(): Iterable<T> {
    return this.#running.keys()
  }

  isRunning(member: T): boolean {
    return this.#running.has(member)
  }

  /** Adds `member` at the end; false where the queue is full. `slots`: how many the model has, or will have. */
  join(member: T, weight: number, slots: number): boolean {
    const free = Math.max(0, slots - this.#taken)
    if (this.#waiting.size >= this.#limit + free) return false
    this.#waiting.set(member, weight)
    return true
  }

  /** Moves the head into its slots and returns it; undefined where nobody waits or no slot is free. */
  startNext(slots: number): T | undefined {
    if (this.#taken >= slots) return undefined
    for (const [member, weight] of this.#waiting) {
      this.#waiting.delete(member)
      this.#running.set(member, weight)
      this.#taken += weight
      return member
    }
    return undefined
  }

  /** Takes `member` out, whether it waits or runs; false where it is not here. */
  leave(member: T): boolean {
    if (this.#waiting.delete(member)) return true
    const weight = this.#running.get(member)
    if (weight === undefined) return false
    this.#running.delete(member)
    this.#taken -= weight
    return true
  }
}
