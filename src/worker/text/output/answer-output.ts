import type { PartKind, PartStart, TokenLogprob } from "../../../domain/chat"
import type { OutputParser, PartWriter } from "./parser"
import type { TextOutput, TextPiece } from "./text-output"

/** Something to report of an answer's parts. */
export type PartEvent =
  | ({ readonly type: "part-start" } & PartStart)
  | {
      readonly type: "delta"
      readonly part: PartKind
      readonly text: string
      /** Tokens of the answer since the previous delta. */
      readonly tokens: number
      readonly logprobs?: readonly TokenLogprob[]
    }
  | { readonly type: "part-end"; readonly part: PartKind }

/** What one token added to an answer. */
export interface AnswerPiece {
  readonly events: readonly PartEvent[]
  /** The stop text that ended the answer. */
  readonly stop?: string
}

/** The way from the tokens of one answer to its parts: bytes, text, search for stop texts, parser. */
export class AnswerOutput {
  readonly #text: TextOutput
  readonly #parser: OutputParser
  readonly #parts = new PartCollector()
  #isStopped = false

  constructor(text: TextOutput, parser: OutputParser) {
    this.#text = text
    this.#parser = parser
  }

  /** Adds a token's bytes; returns a piece if there is anything to report or the answer ended. */
  push(bytes: Uint8Array, logprob?: TokenLogprob): AnswerPiece | undefined {
    const piece = this.#text.push(bytes, logprob)
    if (piece === undefined) return undefined
    this.#parse(piece)
    const events = this.#parts.take()
    if (piece.stop === undefined) return { events }
    this.#isStopped = true
    return { events, stop: piece.stop }
  }

  /**
   * Ends the answer: releases what was held back, apart from what follows a stop text. `needsDelta`: make a delta even
   * if no text is left.
   */
  end(needsDelta: boolean): readonly PartEvent[] {
    const rest = this.#isStopped ? undefined : this.#text.end()
    if (rest !== undefined) this.#parse(rest)
    this.#parser.end(this.#parts)
    return this.#parts.finish(needsDelta)
  }

  #parse(piece: TextPiece): void {
    this.#parts.expect(piece)
    this.#parser.push(piece.text, this.#parts)
  }
}

/**
 * Turns what a parser writes into events. The tokens of text that a parser holds back or consumes are reported with
 * the next delta.
 */
class PartCollector implements PartWriter {
  #events: PartEvent[] = []
  #part: PartKind | undefined
  #tokens = 0
  #logprobs: readonly TokenLogprob[] = []

  /** Adds the tokens of the text that the parser takes next. */
  expect({ tokens, logprobs }: TextPiece): void {
    this.#tokens += tokens
    if (logprobs !== undefined)
      this.#logprobs = this.#logprobs.length === 0 ? logprobs : [...this.#logprobs, ...logprobs]
  }

  start(part: PartStart): void {
    this.#part = part.part
    this.#events.push({ type: "part-start", ...part })
  }

  text(text: string): void {
    const logprobs = this.#logprobs
    this.#events.push({
      type: "delta",
      part: this.#part ?? "text",
      text,
      tokens: this.#tokens,
      ...(logprobs.length > 0 && { logprobs }),
    })
    this.#tokens = 0
    this.#logprobs = []
  }

  end(): void {
    this.#events.push({ type: "part-end", part: this.#part ?? "text" })
    this.#part = undefined
  }

  take(): readonly PartEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** The last events. Tokens that are not reported yet get a delta in the last part, or in one of their own. */
  finish(needsDelta: boolean): readonly PartEvent[] {
    const isMissing = needsDelta && !this.#events.some(({ type }) => type === "delta")
    if (!isMissing && this.#logprobs.length === 0) return this.take()
    const last = this.#events.pop()
    if (last === undefined) this.start({ part: "text" })
    else this.#part = last.part
    this.text("")
    this.end()
    return this.take()
  }
}
