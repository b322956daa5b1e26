/** A timer that fires this much too late means that this process was suspended. */
const LATE_MS = 1_000

/**
 * Grace period after a suspension: the watched process may have been suspended too, and its messages are still
 * unread.
 */
const OWN_PAUSE_GRACE_MS = 5_000

/**
 * Rings once a frequently moving deadline has passed. Moving it is free: the single timer checks the deadline when
 * it fires. Times are those of `performance.now()`.
 */
export class Alarm {
  readonly #dueAt: () => number | undefined
  readonly #ring: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `dueAt`: returns the current deadline, undefined for none. */
  constructor(dueAt: () => number | undefined, ring: () => void) {
    this.#dueAt = dueAt
    this.#ring = ring
  }

  /** Call it when a deadline was added, or has moved closer. */
  arm(): void {
    if (this.#timer !== undefined) return
    const dueAt = this.#dueAt()
    if (dueAt !== undefined) this.#wakeAt(dueAt)
  }

  /** Stops it; {@link arm} starts it again. */
  disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wakeAt(time: number): void {
    this.#timer = setTimeout(() => this.#look(time), Math.max(0, time - performance.now()))
  }

  #look(expected: number): void {
    this.#timer = undefined
    const now = performance.now()
    const dueAt = this.#dueAt()
    if (dueAt === undefined) return
    if (now < dueAt) this.#wakeAt(dueAt)
    else if (now - expected > LATE_MS) this.#wakeAt(now + OWN_PAUSE_GRACE_MS)
    else this.#ring()
  }
}
