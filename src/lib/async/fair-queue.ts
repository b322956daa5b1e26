/** Who a member of a queue belongs to. */
export interface Turns<T> {
  /** Members of one group take turns with those of others: the parts of one client's request. */
  readonly groupOf: (member: T) => unknown
  /** How many of a group are being served. */
  readonly servedOf: (group: unknown) => number
}

/** Groups that may be over and not forgotten yet. */
const SPARE_GROUPS = 64

/**
 * A queue that is fair to groups: next is the first member of the group of which the fewest are being served, and of
 * such groups the one whose last turn was longest ago. So a request of a thousand parts holds up a small one by no more
 * than the parts that run, and small ones cannot hold it up for ever. Where each member is a group of its own, that is
 * first come, first served. It is synchronous, and ignores members that have left.
 */
export class FairQueue<T> {
  /** In order of arrival. */
  readonly #waiting = new Set<T>()
  readonly #turns: Turns<T>
  /** When each group had its last turn, or came, by a count of such events. */
  readonly #since = new Map<unknown, number>()
  #events = 0
  /** How many may wait, not counting those that will start at once. */
  limit: number

  constructor(limit: number, turns: Turns<T> = { groupOf: (member) => member, servedOf: () => 0 }) {
    this.limit = limit
    this.#turns = turns
  }

  get count(): number {
    return this.#waiting.size
  }

  /** The members in the order of their turns; they may be removed while iterating. */
  [Symbol.iterator](): Iterator<T> {
    const { groupOf, servedOf } = this.#turns
    const turns = new Map<unknown, number>()
    const members = [...this.#waiting].map((member) => {
      const group = groupOf(member)
      const turn = turns.get(group) ?? servedOf(group)
      turns.set(group, turn + 1)
      return { member, turn, since: this.#since.get(group) ?? 0 }
    })
    return members
      .sort((a, b) => a.turn - b.turn || a.since - b.since)
      .map(({ member }) => member)
      .values()
  }

  /** Appends `member`; false where the queue is full. `free`: slots that are, or soon will be, available to it. */
  join(member: T, free: number): boolean {
    if (this.#waiting.size >= this.limit + Math.max(0, free)) return false
    this.#waiting.add(member)
    const group = this.#turns.groupOf(member)
    if (!this.#since.has(group)) this.#since.set(group, this.#events++)
    return true
  }

  /** Removes `member`, whose turn it is: it is being served. */
  serve(member: T): void {
    this.#waiting.delete(member)
    this.#since.set(this.#turns.groupOf(member), this.#events++)
    this.#forgetOver()
  }

  /** Removes `member`; false where it is not queued. */
  leave(member: T): boolean {
    const wasWaiting = this.#waiting.delete(member)
    if (this.#since.size > 2 * this.#waiting.size + SPARE_GROUPS) this.#forgetOver()
    return wasWaiting
  }

  /** A group that is over and comes again is a new one. */
  #forgetOver(): void {
    const { groupOf, servedOf } = this.#turns
    const waiting = new Set([...this.#waiting].map(groupOf))
    for (const group of this.#since.keys())
      if (!waiting.has(group) && servedOf(group) === 0) this.#since.delete(group)
  }
}
