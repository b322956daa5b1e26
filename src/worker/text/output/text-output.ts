import type { TokenLogprob } from "../../../domain/chat"
import { Indentation } from "./indentation"
import { StopMatcher, type StopText } from "./stop"

/** A piece of an answer that is ready to show. */
export interface TextPiece {
  readonly text: string
  /** Tokens of the answer since the previous piece. */
  readonly tokens: number
  readonly logprobs?: readonly TokenLogprob[]
  /** The stop text that ended the answer. */
  readonly stop?: string
  /** A line with too little indentation ended the answer. */
  readonly isOver?: true
}

interface HeldLogprob {
  readonly logprob: TokenLogprob
  /** Offset of the token's text in the answer, in UTF-16 units. */
  readonly start: number
}

/**
 * Turns the tokens of one answer into text: whole characters only, and nothing that could still become a stop
 * text. Log probabilities are emitted with the text of their token.
 */
export class TextOutput {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  readonly #stops: StopMatcher
  readonly #keepsStop: boolean
  readonly #indentation: Indentation
  #logprobs: HeldLogprob[] = []
  #decoded = 0
  #released = 0
  #tokens = 0

  /** `keepsStop`: include the matched stop text in the answer. `leastIndent`: of all lines but the first. */
  constructor(stops: readonly StopText[], keepsStop = false, leastIndent = 0) {
    this.#indentation = new Indentation(leastIndent)
    this.#stops = new StopMatcher(stops)
    this.#keepsStop = keepsStop
  }

  /** Adds a token's bytes; returns a piece if there is text to show or the answer ended. */
  push(bytes: Uint8Array, logprob?: TokenLogprob): TextPiece | undefined {
    this.#tokens++
    if (logprob !== undefined) this.#logprobs.push({ logprob, start: this.#decoded })
    const text = this.#decoder.decode(bytes, { stream: true })
    this.#decoded += text.length
    const released = this.#stops.push(text)
    const shown = this.#keepsStop ? released.text + (released.stop ?? "") : released.text
    const kept = this.#indentation.take(shown)
    if (kept.isOver) return { ...this.#piece(kept.text), isOver: true }
    if (released.stop !== undefined) return this.#piece(kept.text, released.stop)
    return kept.text === "" ? undefined : this.#piece(kept.text)
  }

  /**
   * Ends the answer without a stop text: releases held-back text, but no bytes of an incomplete character.
   */
  end(): TextPiece | undefined {
    this.#decoder.decode()
    const { text } = this.#indentation.take(this.#stops.end())
    const logprobs = this.#logprobs.map((held) => held.logprob)
    this.#logprobs = []
    if (text === "" && logprobs.length === 0) return undefined
    return { text, tokens: this.#takeTokens(), ...(logprobs.length > 0 && { logprobs }) }
  }

  #piece(text: string, stop?: string): TextPiece {
    this.#released += text.length
    const logprobs = this.#takeLogprobs()
    const tokens = this.#takeTokens()
    return { text, tokens, ...(logprobs.length > 0 && { logprobs }), ...(stop !== undefined && { stop }) }
  }

  #takeTokens(): number {
    const tokens = this.#tokens
    this.#tokens = 0
    return tokens
  }

  #takeLogprobs(): TokenLogprob[] {
    const ready = this.#logprobs.findIndex((held) => held.start >= this.#released)
    return this.#logprobs.splice(0, ready < 0 ? this.#logprobs.length : ready).map((held) => held.logprob)
  }
}
