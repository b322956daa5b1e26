import type { Vocabulary } from "../../../llama/vocabulary"
import type { ControlToken } from "../../../prompt/tools/control-tokens"
import type { ResolvedMarker } from "../markers"

/** Finds the names of control tokens in markers. */
export class ControlTexts {
  readonly #tokens: ReadonlyMap<string, ControlToken>
  readonly #longest: number

  constructor(vocabulary: Vocabulary) {
    const tokens = new Map<string, ControlToken>()
    for (let id = 0; id < vocabulary.size; id++) {
      if (!vocabulary.isControl(id)) continue
      const text = new TextDecoder().decode(vocabulary.bytes(id))
      if (text !== "") tokens.set(text, { id, text, endsAnswer: vocabulary.endsGeneration(id) })
    }
    this.#tokens = tokens
    this.#longest = Math.max(0, ...[...tokens.keys()].map((text) => text.length))
  }

  /** The control tokens of a text by their ids, and the texts between them. */
  resolve(text: string): ResolvedMarker {
    const parts: (string | number)[] = []
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const found = this.#at(text, at)
      if (found === undefined) continue
      if (at > from) parts.push(text.slice(from, at))
      parts.push(found.id)
      from = at + found.text.length
      at = from - 1
    }
    return from < text.length ? [...parts, text.slice(from)] : parts
  }

  /** The control token with the longest name at this place. */
  #at(text: string, at: number): ControlToken | undefined {
    for (let length = Math.min(this.#longest, text.length - at); length > 0; length--) {
      const token = this.#tokens.get(text.slice(at, at + length))
      if (token !== undefined) return token
    }
    return undefined
  }

  /** The control tokens that occur in the texts of `markers`: of plain data. */
  in(markers: unknown): readonly ControlToken[] {
    const ids = new Set(textsIn(markers).flatMap((text) => this.resolve(text)))
    return [...this.#tokens.values()].filter(({ id }) => ids.has(id))
  }
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : []
}
