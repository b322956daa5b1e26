/**
 * Who waits for one model, strictly first come, first served. Nothing in here waits itself, and a member that has left
 * is unknown.
 */
export class AdmissionQueue<T> {
  /** In order of arrival. */
  readonly #waiting = new Set<T>()
  /** How many may wait, apart from those that will start at once. */
  limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  get count(): number {
    return this.#waiting.size
  }

  /** The one that is next. */
  get head(): T | undefined {
    for (const member of this.#waiting) return member
    return undefined
  }

  /** Those that wait, in order; the iteration may remove them. */
  [Symbol.iterator](): Iterator<T> {
    return this.#waiting[Symbol.iterator]()
  }

  /** Adds `member` at the end; false where the queue is full. `free`: slots that it could start in, or soon can. */
  join(member: T, free: number): boolean {
    if (this.#waiting.size >= this.limit + Math.max(0, free)) return false
    this.#waiting.add(member)
    return true
  }

  /** Takes `member` out; false where it is not here. */
  leave(member: T): boolean {
    return this.#waiting.delete(member)
  }
}
