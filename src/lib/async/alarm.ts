/** A timer that fires this much later than asked for says that this process itself was not running. */
const LATE_MS = 1_000

/** What is granted then: what we watch may have been paused with us, and its signs are still unread. */
const OWN_PAUSE_GRACE_MS = 5_000

/**
 * Rings once a deadline has passed that moves all the time. Moving it costs nothing: the one timer looks again when it
 * fires. Times are those of `performance.now()`.
 */
export class Alarm {
  readonly #dueAt: () => number | undefined
  readonly #ring: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `dueAt`: the deadline as it is now, undefined for none. */
  constructor(dueAt: () => number | undefined, ring: () => void) {
    this.#dueAt = dueAt
    this.#ring = ring
  }

  /** To be called when a deadline came up where there was none, or has moved nearer than it was. */
  arm(): void {
    if (this.#timer !== undefined) return
    const dueAt = this.#dueAt()
    if (dueAt !== undefined) this.#wakeAt(dueAt)
  }

  /** Ends it; {@link arm} starts it again. */
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
