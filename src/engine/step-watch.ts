import type { EngineLimits } from "./limits"

/**
 * How long a worker with open requests has been silent, and how long it may be. Only time in which a request is open
 * counts, but it adds up until the next sign of life: requests that are given up and sent again, each before the
 * limit, do not hide a worker that hangs. Times are milliseconds of one monotonic clock.
 */
export class StepWatch {
  readonly #limits: Pick<EngineLimits, "stepMs" | "stepFactor">
  #silentSince: number | undefined
  /** Silence of earlier times with open requests, with no sign of life since. */
  #carried = 0
  #slowest = 0

  constructor(limits: Pick<EngineLimits, "stepMs" | "stepFactor">) {
    this.#limits = limits
  }

  /** How long a silence may be now. */
  get limitMs(): number {
    return Math.max(this.#limits.stepMs, this.#limits.stepFactor * this.#slowest)
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
    this.#slowest = Math.max(this.#slowest, silence)
    this.#carried = 0
    if (this.#silentSince !== undefined) this.#silentSince = now
  }
}
