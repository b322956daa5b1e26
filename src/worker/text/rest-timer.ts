/** When nothing has run for so long, memory is given back; ms. */
const REST_MS = 60_000

/** Calls `rest` once nothing has run for a while. */
export class RestTimer {
  readonly #rest: () => void
  readonly #afterMs: number
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(rest: () => void, afterMs = REST_MS) {
    this.#rest = rest
    this.#afterMs = afterMs
  }

  /** Work begins. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Work has ended. */
  start(): void {
    this.stop()
    this.#timer = setTimeout(this.#rest, this.#afterMs)
  }
}
