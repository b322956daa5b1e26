import type { PartStart } from "../../../domain/chat"
import type { PartWriter } from "./parser"
import { StopMatcher, type StopText } from "./stop"

/** Looks for stop texts in what an answer says and thinks, but not in the arguments of its calls. */
export class StopWriter implements PartWriter {
  readonly #stops: readonly StopText[]
  readonly #keepsStop: boolean
  readonly #parts: PartWriter
  /** Undefined within a call. */
  #matcher: StopMatcher | undefined
  #isOpen = false
  /** The stop text that ended the answer; everything after it is dropped. */
  stop: string | undefined

  constructor(stops: readonly StopText[], keepsStop: boolean, parts: PartWriter) {
    this.#stops = stops
    this.#keepsStop = keepsStop
    this.#parts = parts
  }

  start(part: PartStart): void {
    if (this.stop !== undefined) return
    this.#matcher = part.part === "tool-call" ? undefined : new StopMatcher(this.#stops)
    this.#isOpen = true
    this.#parts.start(part)
  }

  text(text: string): void {
    if (this.stop !== undefined) return
    if (this.#matcher === undefined) return this.#parts.text(text)
    const released = this.#matcher.push(text)
    const shown = this.#keepsStop ? released.text + (released.stop ?? "") : released.text
    if (shown !== "" || released.stop !== undefined) this.#parts.text(shown)
    this.stop = released.stop
  }

  end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    const rest = this.stop === undefined ? this.#matcher?.end() : undefined
    if (rest !== undefined && rest !== "") this.#parts.text(rest)
    this.#parts.end()
  }
}
