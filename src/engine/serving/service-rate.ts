/** Weight of a new measurement against all earlier ones: about the last ten decide. */
const NEW_SHARE = 0.1

/** The answer before anything is measured, and the bounds of later answers, in seconds. */
const UNMEASURED_SECONDS = 5

const LEAST_SECONDS = 1

const MOST_SECONDS = 120

/** How fast a queue moves, measured while it is not empty. Times are milliseconds of one monotonic clock. */
export class ServiceRate {
  #lastStart: number | undefined
  #meanInterval: number | undefined

  /** The queue is no longer empty. */
  backlogBegan(now: number): void {
    this.#lastStart = now
  }

  /** A waiting request was started. */
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
   * When a refused client should retry, in whole seconds: the time until half of the waiting requests have started.
   * Waiting only for the first would bring every refused client back for one place.
   */
  retryAfterSeconds(waiting: number): number {
    if (this.#meanInterval === undefined) return UNMEASURED_SECONDS
    const seconds = Math.ceil(((waiting / 2) * this.#meanInterval) / 1000)
    return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds))
  }
}
