/** Walks through what was typed before, and searches it. */
export class Recall {
  /** Oldest first. */
  readonly #entries: string[]
  readonly #size: number
  /** Where the walk is; behind the newest where there is none. */
  #at: number
  /** What was being typed when the walk began. */
  #draft = ""

  constructor(entries: readonly string[], size: number) {
    this.#entries = entries.slice(-size)
    this.#size = size
    this.#at = this.#entries.length
  }

  /** Remembers an entry and ends the walk. What is said twice is remembered once. */
  add(entry: string): void {
    if (entry.trim() !== "" && this.#entries.at(-1) !== entry) this.#entries.push(entry)
    if (this.#entries.length > this.#size) this.#entries.shift()
    this.rest()
  }

  /** Ends the walk. */
  rest(): void {
    this.#at = this.#entries.length
  }

  /** The entry before this one; `undefined` at the oldest. @param current what is typed now */
  older(current: string): string | undefined {
    if (this.#at === 0) return undefined
    if (this.#at === this.#entries.length) this.#draft = current
    return this.#entries[--this.#at]
  }

  /** The entry behind this one, behind the newest what was being typed; `undefined` there. */
  newer(): string | undefined {
    if (this.#at === this.#entries.length) return undefined
    this.#at++
    return this.#entries[this.#at] ?? this.#draft
  }

  /**
   * The newest entry with `query` that is not newer than the one of number `from`.
   * @returns it and its number; `undefined`: there is none
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
