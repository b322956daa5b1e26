/** Steps through previous input, and searches it. */
export class Recall {
  /** Oldest first. */
  readonly #entries: string[]
  readonly #size: number
  /** The current position; after the newest entry when not stepping. */
  #at: number
  /** The input before stepping began. */
  #draft = ""

  constructor(entries: readonly string[], size: number) {
    this.#entries = entries.slice(-size)
    this.#size = size
    this.#at = this.#entries.length
  }

  /** Adds an entry and resets the position. An immediate repetition is not added. */
  add(entry: string): void {
    if (entry.trim() !== "" && this.#entries.at(-1) !== entry) this.#entries.push(entry)
    if (this.#entries.length > this.#size) this.#entries.shift()
    this.rest()
  }

  /** Resets the position. */
  rest(): void {
    this.#at = this.#entries.length
  }

  /** The previous entry; `undefined` at the oldest. @param current the current input */
  older(current: string): string | undefined {
    if (this.#at === 0) return undefined
    if (this.#at === this.#entries.length) this.#draft = current
    return this.#entries[--this.#at]
  }

  /** The next entry, or the original input after the newest; `undefined` beyond that. */
  newer(): string | undefined {
    if (this.#at === this.#entries.length) return undefined
    this.#at++
    return this.#entries[this.#at] ?? this.#draft
  }

  /**
   * The newest entry at index `from` or before that contains `query`.
   * @returns the entry and its index; `undefined` if there is none
   */
  find(query: string, from = this.#entries.length - 1): { entry: string; at: number } | undefined {
    if (query === "") return undefined
    for (let at = Math.min(from, this.#entries.length - 1); at >= 0; at--) {
      const entry = this.#entries[at] ?? ""
      if (entry.toLowerCase().includes(query.toLowerCase())) return { entry, at }
    }
    return undefined
  }
}
