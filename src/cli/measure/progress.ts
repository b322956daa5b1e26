import type { Io } from "../terminal/io"
import { startSpinner } from "../terminal/spinner"

/** What a run is doing, and about how long it will still take. On terminals only. */
export class RunProgress implements Disposable {
  readonly #spinner: ReturnType<typeof startSpinner>
  readonly #startedAt = performance.now()
  #planned = 0
  #done = 0
  #title = ""

  constructor(io: Io) {
    this.#spinner = startSpinner(io)
  }

  /** Announces work; the unit is anything that is about proportional to time. */
  plan(work: number): void {
    this.#planned += work
  }

  begin(title: string): void {
    this.#title = title
    this.#show()
  }

  did(work: number): void {
    this.#done += work
    this.#show()
  }

  /** Removes the line, so that another can be printed. */
  hide(): void {
    this.#spinner.hide()
  }

  #show(): void {
    const left = secondsLeft(performance.now() - this.#startedAt, this.#done, this.#planned)
    this.#spinner.say(left === undefined ? this.#title : `${this.#title}, about ${inWords(left)} left`)
  }

  [Symbol.dispose](): void {
    this.#spinner.stop()
  }
}

/** Undefined before anything is done. */
export function secondsLeft(elapsedMs: number, done: number, planned: number): number | undefined {
  if (done <= 0 || planned <= 0) return undefined
  return ((elapsedMs / done) * Math.max(0, planned - done)) / 1000
}

function inWords(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.round(whole / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
