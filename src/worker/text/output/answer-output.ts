import type { PartKind, PartStart, TokenLogprob } from "../../../domain/chat"
import type { OutputParser, PartWriter } from "./parser"
import type { StopText } from "./stop"
import { StopWriter } from "./stop-writer"
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
  /** The answer ended at its limit, without a stop text. */
  readonly isOver?: true
}

/** What an answer with several parts is read with. */
export interface PartReading {
  /** Control tokens that the parser takes by their ids. */
  readonly controls: ReadonlySet<number>
  /** Looked for in the parts that the parser writes, rather than in all text. */
  readonly stops: readonly StopText[]
  readonly keepsStop: boolean
  /** Is what comes next part of the thinking? */
  readonly isThinking: () => boolean
}

/** The way from the tokens of one answer to its parts: bytes, text, search for stop texts, parser. */
export class AnswerOutput {
  readonly #text: TextOutput
  readonly #parser: OutputParser
  readonly #reading: PartReading | undefined
  readonly #parts = new PartCollector()
  readonly #writer: PartWriter
  readonly #stops: StopWriter | undefined
  #isStopped = false
  /** Tokens of the thinking, with its markers. */
  reasoningTokens = 0

  /** `reading`: absent for an answer that is one text, in which `text` looks for stop texts. */
  constructor(text: TextOutput, parser: OutputParser, reading?: PartReading) {
    this.#text = text
    this.#parser = parser
    this.#reading = reading
    this.#stops = reading && new StopWriter(reading.stops, reading.keepsStop, this.#parts)
    this.#writer = this.#stops ?? this.#parts
  }

  /** Number of calls whose arguments are complete. */
  get calls(): number {
    return this.#parts.calls
  }

  /** Adds a token, by its bytes; returns a piece if there is anything to report or the answer ended. */
  push(bytes: Uint8Array, logprob?: TokenLogprob, token?: number): AnswerPiece | undefined {
    if (this.#reading === undefined) return this.#pushText(bytes, logprob)
    const wasThinking = this.#reading.isThinking()
    const isControl = token !== undefined && this.#reading.controls.has(token)
    const piece = isControl ? this.#pushControl(token, bytes, logprob) : this.#pushText(bytes, logprob)
    if (wasThinking || this.#reading.isThinking()) this.reasoningTokens++
    return piece
  }

  #pushText(bytes: Uint8Array, logprob: TokenLogprob | undefined): AnswerPiece | undefined {
    const piece = this.#text.push(bytes, logprob)
    if (piece === undefined) return undefined
    this.#parse(piece)
    if (piece.isOver !== true) return this.#report(piece.stop)
    this.#isStopped = true
    return { events: this.#parts.take(), isOver: true }
  }

  #pushControl(token: number, name: Uint8Array, logprob: TokenLogprob | undefined): AnswerPiece | undefined {
    const before = this.#text.end()
    if (before !== undefined) this.#parse(before)
    this.#parts.expect({ text: "", tokens: 1, ...(logprob !== undefined && { logprobs: [logprob] }) })
    this.#parser.control(token, new TextDecoder().decode(name), this.#writer)
    return this.#report(undefined)
  }

  #report(ownStop: string | undefined): AnswerPiece | undefined {
    const events = this.#parts.take()
    const stop = ownStop ?? this.#stops?.stop
    if (stop === undefined) return events.length === 0 ? undefined : { events }
    this.#isStopped = true
    return { events, stop }
  }

  /**
   * Ends the answer: releases what was held back, apart from what follows a stop text. `needsDelta`: make a delta even
   * if no text is left.
   */
  end(needsDelta: boolean): readonly PartEvent[] {
    const rest = this.#isStopped ? undefined : this.#text.end()
    if (rest !== undefined) this.#parse(rest)
    this.#parser.end(this.#writer)
    return this.#parts.finish(needsDelta)
  }

  #parse(piece: TextPiece): void {
    this.#parts.expect(piece)
    this.#parser.push(piece.text, this.#writer)
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
  /** Of the current call. */
  #arguments: string[] = []
  #isCallOver = false
  /** Number of calls that have ended with complete arguments. */
  calls = 0

  /** Adds the tokens of the text that the parser takes next. */
  expect({ tokens, logprobs }: TextPiece): void {
    this.#tokens += tokens
    if (logprobs !== undefined)
      this.#logprobs = this.#logprobs.length === 0 ? logprobs : [...this.#logprobs, ...logprobs]
  }

  start(part: PartStart): void {
    this.#endCall()
    this.#part = part.part
    this.#events.push({ type: "part-start", ...part })
  }

  text(text: string): void {
    const logprobs = this.#logprobs
    if (this.#part === "tool-call") this.#arguments.push(text)
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

  /** The end of a call is reported with what follows it: until then the call takes the tokens of its end marker. */
  end(): void {
    if (this.#part === "tool-call") this.#isCallOver = true
    else this.#endPart()
  }

  #endCall(): void {
    if (!this.#isCallOver) return
    this.#isCallOver = false
    if (isObject(this.#arguments.join(""))) this.calls++
    this.#arguments = []
    this.#endPart()
  }

  #endPart(): void {
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
    const isLeft = isMissing || this.#logprobs.length > 0
    if (isLeft && this.#isCallOver) this.text("")
    else if (isLeft) this.#addDelta()
    this.#endCall()
    return this.take()
  }

  #addDelta(): void {
    const last = this.#events.pop()
    if (last === undefined) this.start({ part: "text" })
    else this.#part = last.part
    this.text("")
    this.#endPart()
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
