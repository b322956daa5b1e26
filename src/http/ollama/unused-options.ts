import type { Logger } from "../../log/logger"
import { shorten } from "../../lib/text/shorten"
import { SHOWN } from "../../limits"

/** More names than Ollama has options are not worth a line. */
const MOST_NAMES = 64

/** Notes options of requests that have no effect here, each once. */
export class UnusedOptions {
  readonly #log: Logger
  readonly #noted = new Set<string>()

  constructor(log: Logger) {
    this.#log = log
  }

  note(names: readonly string[]): void {
    for (const name of names) {
      if (this.#noted.has(name) || this.#noted.size >= MOST_NAMES) continue
      this.#noted.add(name)
      this.#log.info("option has no effect", { option: shorten(name, SHOWN.name) })
    }
  }
}
