import type { Timeouts } from "./timeouts"

/** A slow step stops counting after this many further steps at least, and twice as many at most. */
const WINDOW_STEPS = 256

/**
 * How long a worker with open requests has been silent, and how long it may be. Only time with a request open
 * counts, and it adds up until the next heartbeat: requests that are cancelled and sent again, each before the
 * limit, do not hide a hung worker. Times are milliseconds of one monotonic clock.
 */
export class Watchdog {
  readonly #limits: Pick<Timeouts, "stepMs" | "stepFactor">
  readonly #mostMs: () => number
  #silentSince: number | undefined
  /** Silence accumulated over earlier periods with open requests, since the last heartbeat. */
  #carried = 0
  /** Of the newest steps, up to {@link WINDOW_STEPS}. */
  #slowest = 0
  /** Of the {@link WINDOW_STEPS} steps before those. */
  #slowestBefore = 0
  #steps = 0

  /** `mostMs`: upper bound of the limit, however slow the steps are; read each time. */
  constructor(limits: Pick<Timeouts, "stepMs" | "stepFactor">, mostMs: () => number) {
    this.#limits = limits
    this.#mostMs = mostMs
  }

  /** The present limit for a silence. */
  get limitMs(): number {
    const { stepMs, stepFactor } = this.#limits
    const slowest = Math.max(this.#slowest, this.#slowestBefore)
    return Math.min(this.#mostMs(), Math.max(stepMs, stepFactor * slowest))
  }

  /** When the silence exceeds the limit; undefined while nothing is open. */
  get overdueAt(): number | undefined {
    return this.#silentSince === undefined ? undefined : this.#silentSince + this.limitMs - this.#carried
  }

  /** Sets whether any request is open from now on. */
  setBusy(busy: boolean, now: number): void {
    if (busy) {
      this.#silentSince ??= now
    } else if (this.#silentSince !== undefined) {
      this.#carried += now - this.#silentSince
      this.#silentSince = undefined
    }
  }

  /** Records a heartbeat of the worker. */
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
