/** When nothing has run for so long, memory is given back; ms. */
const IDLE_MS = 60_000

/** Calls `rest` once nothing has run for a while. */
export class RestTimer {
  readonly #rest: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(rest: () => void) {
    this.#rest = rest
  }

  /** Work begins. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Work has ended. */
  start(): void {
    this.stop()
    this.#timer = setTimeout(this.#rest, IDLE_MS)
  }
}
