import type { Timeouts } from "./timeouts"

/** Steps after which a slow one no longer counts: at least this many, at most twice as many. */
const WINDOW_STEPS = 256

/**
 * How long a worker with open requests has been silent, and how long it may be. Only time in which a request is open
 * counts, but it adds up until the next sign of life: requests that are given up and sent again, each before the
 * limit, do not hide a worker that hangs. Times are milliseconds of one monotonic clock.
 */
export class Watchdog {
  readonly #limits: Pick<Timeouts, "stepMs" | "stepFactor">
  readonly #mostMs: () => number
  #silentSince: number | undefined
  /** Silence of earlier times with open requests, with no sign of life since. */
  #carried = 0
  /** Of the newest steps, up to {@link WINDOW_STEPS}. */
  #slowest = 0
  /** Of the {@link WINDOW_STEPS} steps before those. */
  #slowestBefore = 0
  #steps = 0

  /** `mostMs`: what no silence may pass, however slow the steps are; asked each time. */
  constructor(limits: Pick<Timeouts, "stepMs" | "stepFactor">, mostMs: () => number) {
    this.#limits = limits
    this.#mostMs = mostMs
  }

  /** How long a silence may be now. */
  get limitMs(): number {
    const { stepMs, stepFactor } = this.#limits
    const slowest = Math.max(this.#slowest, this.#slowestBefore)
    return Math.min(this.#mostMs(), Math.max(stepMs, stepFactor * slowest))
  }

  /** When the silence will have been too long; undefined while nothing is open. */
  get overdueAt(): number | undefined {
    return this.#silentSince === undefined ? undefined : this.#silentSince + this.limitMs - this.#carried
  }

  /** Tells whether any request is open from now on. */
  setBusy(busy: boolean, now: number): void {
    if (busy) {
      this.#silentSince ??= now
    } else if (this.#silentSince !== undefined) {
      this.#carried += now - this.#silentSince
      this.#silentSince = undefined
    }
  }

  /** The worker has shown life. */
  sign(now: number): void {
    const silence = this.#carried + (this.#silentSince === undefined ? 0 : now - this.#silentSince)
    this.#count(silence)
    this.#carried = 0
    if (this.#silentSince !== undefined) this.#silentSince = now
  }

  #count(silence: number): void {
    if (this.#steps === WINDOW_STEPS) {
      this.#slowestBefore = this.#slowest
      this.#slowest = 0
      this.#steps = 0
    }
    this.#slowest = Math.max(this.#slowest, silence)
    this.#steps += 1
  }
}
