import { charactersIn } from "../../../grammar/characters"
import {
  anyOf,
  characters,
  type GrammarNode,
  NOTHING,
  repeat,
  sequence,
  terminal,
} from "../../../grammar/node"
import { type ControlToken, splitAtTokens } from "../control-tokens"
import type { IdForm, Marker, MarkerPart } from "../syntax"

const DIGITS = characters(charactersIn("0123456789"))
const LETTERS = characters(charactersIn("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))

/** Numbers of calls have at most three digits. */
const NUMBER = anyOf(terminal("0"), sequence(characters(charactersIn("123456789")), repeat(DIGITS, 0, 2)))

/** What a marker looks like in a grammar. */
export class MarkerNodes {
  readonly #tokens: readonly ControlToken[]
  readonly #idForm: IdForm
  readonly #earlierCalls: number

  /** `earlierCalls`: how many the conversation has before the answer. */
  constructor(tokens: readonly ControlToken[], idForm: IdForm, earlierCalls: number) {
    this.#tokens = tokens
    this.#idForm = idForm
    this.#earlierCalls = earlierCalls
  }

  /** `names`: what the function's and the argument's name are where the marker repeats them. `first`: of the first call. */
  of(
    marker: Marker,
    names: { readonly name?: string; readonly argument?: string } = {},
    first = false,
  ): GrammarNode {
    return sequence(
      ...marker.map((part) => {
        switch (part.type) {
          case "text":
            return this.text(part.text)
          case "id":
            return this.#id()
          case "index":
            return first ? this.#firstNumber(part) : NUMBER
          case "name":
            return terminal(names.name ?? "")
          case "argument":
            return terminal(names.argument ?? "")
          default:
            return part satisfies never
        }
      }),
    )
  }

  /** Control tokens by their ids, apart from those that end answers: what follows the grammar's end is no part of it. */
  text(text: string): GrammarNode {
    const nodes = splitAtTokens(text, this.#tokens).map((part): GrammarNode => {
      if (typeof part === "string") return terminal(part)
      return part.endsAnswer === true ? NOTHING : { type: "token", id: part.id }
    })
    return sequence(...nodes)
  }

  /**
   * The text that no text before this marker may contain, so that it is clear where the marker begins. Of a marker with a
   * control token that is the token's text: the grammar would take the token for it.
   */
  excludedBefore(marker: Marker): string {
    const [first] = marker
    if (first?.type !== "text") return ""
    const token = splitAtTokens(first.text, this.#tokens).find((part) => typeof part !== "string")
    if (typeof token === "object") return token.text
    // Only as far as it is the same for all arguments, and without the spaces that follow it.
    return first.text.trimEnd() === "" ? first.text : first.text.trimEnd()
  }

  #firstNumber({ first, runsOn }: Extract<MarkerPart, { type: "index" }>): GrammarNode {
    return terminal(String(first + (runsOn === true ? this.#earlierCalls : 0)))
  }

  #id(): GrammarNode {
    const form = this.#idForm
    if (form.type === "random")
      return sequence(terminal(form.prefix), repeat(LETTERS, form.length, form.length))
    return repeat(LETTERS, 1, 24)
  }
}
