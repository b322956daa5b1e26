import type { IdForm } from "./syntax"

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/** Calls of one conversation that came before an answer. */
export interface EarlierCalls {
  readonly ids: ReadonlySet<string>
  readonly count: number
}

export const NO_EARLIER_CALLS: EarlierCalls = { ids: new Set(), count: 0 }

/** What a model wrote about the id of a call. */
export interface WrittenId {
  readonly id?: string
  readonly index?: number
}

/** Gives the calls of an answer ids in the form that the family's template renders; no two are equal. */
export class CallIds {
  readonly #form: IdForm
  readonly #used: Set<string>
  #count: number

  constructor(form: IdForm, earlier: EarlierCalls) {
    this.#form = form
    this.#used = new Set(earlier.ids)
    this.#count = earlier.count
  }

  /** The model's own, where it is new. */
  next(name: string, written: WrittenId): string {
    const count = this.#count++
    if (this.#form.type === "random") return this.#claim(written.id) ?? this.#random(this.#form)
    const own = written.index === undefined ? undefined : this.#composed(name, written.index)
    for (let index = count; ; index++) {
      const id = this.#claim(own) ?? this.#claim(this.#composed(name, index))
      if (id !== undefined) return id
    }
  }

  #random({ prefix, length }: Extract<IdForm, { type: "random" }>): string {
    for (;;) {
      const bytes = crypto.getRandomValues(new Uint8Array(length))
      const letters = Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length] ?? "").join("")
      const id = this.#claim(prefix + letters)
      if (id !== undefined) return id
    }
  }

  #composed(name: string, index: number): string {
    if (this.#form.type === "random") return ""
    return this.#form.marker
      .map((part) => {
        if (part.type === "text") return part.text
        return part.type === "index" ? String(index) : part.type === "name" ? name : ""
      })
      .join("")
  }

  /** Undefined if it is used already. */
  #claim(id: string | undefined): string | undefined {
    if (id === undefined || id === "" || this.#used.has(id)) return undefined
    this.#used.add(id)
    return id
  }
}
