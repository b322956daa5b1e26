import type { ChatMessage, Content } from "../domain/chat"
import { Unsupported } from "../errors/request"
import type { PromptPiece } from "./piece"
import { randomDigits } from "./special-token-escaper"

const INDEX_DIGITS = 6

/** Between texts, but not beside a picture: as in llama-server. */
const BETWEEN_TEXTS = "\n"

/**
 * Pictures and sounds stand in messages as digits while the template runs: too many to guess, so that no text can be
 * taken for one. The template's own way to show them is not used: what a model needs around them, its projector adds.
 */
export class MediaMarks {
  readonly #nonce = randomDigits()
  /** The message of each. */
  readonly #places: number[] = []

  get isEmpty(): boolean {
    return this.#places.length === 0
  }

  /** The messages with marks in place of media. */
  put(messages: readonly ChatMessage[]): readonly ChatMessage[] {
    return messages.map((message, index) => {
      const { content } = message
      if (typeof content === "string" || content.every(({ type }) => type === "text")) return message
      return { ...message, content: this.#marked(content, index) }
    })
  }

  #marked(content: Exclude<Content, string>, message: number): string {
    let text = ""
    let isAfterText = false
    for (const part of content) {
      if (part.type === "text") text += (isAfterText ? BETWEEN_TEXTS : "") + part.text
      else {
        text += this.#nonce + String(this.#places.length).padStart(INDEX_DIGITS, "0")
        this.#places.push(message)
      }
      isAfterText = part.type === "text"
    }
    return text
  }

  /**
   * The pieces with media in place of their marks.
   * @throws Unsupported where the template has left one out
   */
  resolve(pieces: readonly PromptPiece[]): PromptPiece[] {
    const resolved = pieces.flatMap((piece) => this.#split(piece))
    const shown = new Set(resolved.map(({ media }) => media))
    const missing = this.#places.find((_, index) => !shown.has(index))
    if (missing === undefined) return resolved
    const place = `messages[${missing}]`
    throw new Unsupported(`the model's chat template leaves out the image or sound of ${place}`, place)
  }

  #split(piece: PromptPiece): PromptPiece[] {
    const [first = "", ...others] = piece.text.split(this.#nonce)
    const split = others.flatMap((part): PromptPiece[] => [
      { text: "", special: false, media: Number(part.slice(0, INDEX_DIGITS)) },
      { ...piece, text: part.slice(INDEX_DIGITS) },
    ])
    return [{ ...piece, text: first }, ...split].filter(
      ({ text, media }) => text !== "" || media !== undefined,
    )
  }
}
