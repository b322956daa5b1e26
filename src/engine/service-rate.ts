/** A new measurement counts this much against all earlier ones: the last ten or so decide. */
const NEW_SHARE = 0.1

/** What is answered before anything was measured, and the bounds of what is answered after: seconds. */
const UNMEASURED_SECONDS = 5
const LEAST_SECONDS = 1
const MOST_SECONDS = 120

/** How fast a queue moves, measured while somebody waits in it. Times are milliseconds of one monotonic clock. */
export class ServiceRate {
  #lastStart: number | undefined
  #meanInterval: number | undefined

  /** The queue was empty and is not any more. */
  backlogBegan(now: number): void {
    this.#lastStart = now
  }

  /** One that waited has been started. */
  started(now: number): void {
    if (this.#lastStart !== undefined) {
      const interval = now - this.#lastStart
      this.#meanInterval =
        this.#meanInterval === undefined
          ? interval
          : this.#meanInterval + NEW_SHARE * (interval - this.#meanInterval)
    }
    this.#lastStart = now
  }

  /**
   * When a refused client may try again, in whole seconds: the time until half of those that wait have been started.
   * Not until the first of them has, or all the refused would be back for one place.
   */
  retryAfterSeconds(waiting: number): number {
    if (this.#meanInterval === undefined) return UNMEASURED_SECONDS
    const seconds = Math.ceil(((waiting / 2) * this.#meanInterval) / 1000)
    return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds))
  }
}
