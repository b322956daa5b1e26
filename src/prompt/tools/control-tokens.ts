/** A control token of a model that a marker contains. */
export interface ControlToken {
  readonly id: number
  /** As templates write it. */
  readonly text: string
  /** Generation ends with it, so that it is never seen in an answer. */
  readonly endsAnswer?: boolean
}

/** The parts of a text between control tokens, and these. */
export function splitAtTokens(
  text: string,
  tokens: readonly ControlToken[],
): readonly (string | ControlToken)[] {
  const parts: (string | ControlToken)[] = []
  let done = 0
  for (let at = 0; at < text.length;) {
    const token = longestAt(text, at, tokens)
    if (token === undefined) at++
    else {
      if (at > done) parts.push(text.slice(done, at))
      parts.push(token)
      at += token.text.length
      done = at
    }
  }
  if (done < text.length) parts.push(text.slice(done))
  return parts
}

function longestAt(text: string, at: number, tokens: readonly ControlToken[]): ControlToken | undefined {
  let longest: ControlToken | undefined
  for (const token of tokens)
    if (token.text.length > (longest?.text.length ?? 0) && text.startsWith(token.text, at)) longest = token
  return longest
}

/** Lone halves of surrogate pairs stand for control tokens: no text has them. */
const FIRST_SYMBOL = 0xdc00
const MOST_SYMBOLS = 1024

/**
 * One character for each control token of the markers. With them, markers and answers are plain strings in which the text
 * `<tool_call>` and the token of that name differ.
 */
export class TokenSymbols {
  readonly #tokens: readonly ControlToken[]
  readonly #symbols: ReadonlyMap<number, string>

  constructor(tokens: readonly ControlToken[]) {
    this.#tokens = tokens.slice(0, MOST_SYMBOLS)
    this.#symbols = new Map(
      this.#tokens.map(({ id }, index) => [id, String.fromCharCode(FIRST_SYMBOL + index)]),
    )
  }

  /** The character for a token; undefined if no marker has it. */
  of(id: number): string | undefined {
    return this.#symbols.get(id)
  }

  /** The text of a marker, as it stands in an answer. */
  encode(text: string): string {
    return splitAtTokens(text, this.#tokens)
      .map((part) => {
        if (typeof part === "string") return part
        return part.endsAnswer === true ? "" : (this.of(part.id) ?? part.text)
      })
      .join("")
  }

  /** The text of an answer as people see it: tokens by their texts. */
  decode(text: string): string {
    if (this.#tokens.length === 0 || text.isWellFormed()) return text
    return Array.from(text, (character) => {
      const index = character.charCodeAt(0) - FIRST_SYMBOL
      return character.length === 1 ? (this.#tokens[index]?.text ?? character) : character
    }).join("")
  }
}
