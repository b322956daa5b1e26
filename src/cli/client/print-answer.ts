import type { FinishReason, Timings, Usage } from "../../domain/chat"
import { Cancelled } from "../../errors/request"
import type { Io } from "../terminal/io"
import { terminalSafe } from "../terminal/output"
import { startSpinner } from "../terminal/spinner"
import type { WordWrap } from "../terminal/word-wrap"
import type { AnswerSource, ChatTurn } from "./answers"

/** A finished answer. */
export interface PrintedAnswer {
  readonly text: string
  /** It was interrupted and is incomplete. */
  readonly isInterrupted: boolean
  readonly reason?: FinishReason
  readonly usage?: Usage
  readonly timings?: Timings
  /** From the question to the end of the answer. */
  readonly totalMs: number
}

export interface PrintOptions {
  readonly source: AnswerSource
  readonly turn: ChatTurn
  readonly io: Io
  /** Ends the answer without an error. */
  readonly signal: AbortSignal
  /** Does {@link write} print to a terminal? */
  readonly isTerminal: boolean
  /** Wraps the lines; absent: no wrapping. */
  readonly wrap?: WordWrap | undefined
  /** Called with each part of the answer. */
  write(text: string): void
}

/**
 * Asks, and passes on the answer as it arrives. Until then a spinner on stderr shows what it is waiting for.
 * @throws what the source throws, except when the answer was interrupted through `signal`
 */
export async function printAnswer({
  source,
  turn,
  io,
  signal,
  isTerminal,
  wrap,
  write,
}: PrintOptions): Promise<PrintedAnswer> {
  const startedAt = performance.now()
  const spinner = startSpinner(io)
  let text = ""
  let end: Partial<Pick<PrintedAnswer, "reason" | "usage" | "timings">> = {}
  try {
    for await (const event of source.answer(turn, signal)) {
      if (event.type === "loading") spinner.say(loadingText(event.fraction))
      else if (event.type === "queued") spinner.say(queuedText(event.position))
      else if (event.type === "finish") end = { ...end, reason: event.reason }
      else if (event.type === "done") end = { ...end, usage: event.usage, timings: event.timings }
      else {
        spinner.stop()
        text += event.text
        const safe = isTerminal ? terminalSafe(event.text) : event.text
        write(wrap === undefined ? safe : wrap.add(safe))
      }
    }
  } catch (error) {
    if (!signal.aborted || !(error instanceof Cancelled)) {
      // An error message starts on its own line.
      if (isTerminal && text !== "" && !text.endsWith("\n")) write("\n")
      throw error
    }
  } finally {
    spinner.stop()
  }
  return { text, isInterrupted: signal.aborted, ...end, totalMs: performance.now() - startedAt }
}

/**
 * The context size to report for an answer that ended because the context was full. `undefined`: it ended for another
 * reason, or the size is unknown.
 */
export async function fullContext(
  { reason, usage }: PrintedAnswer,
  source: AnswerSource,
  model: string,
): Promise<number | undefined> {
  if (reason !== "length" || usage === undefined) return undefined
  const size = await source.contextLength(model).catch(() => undefined)
  return size !== undefined && usage.promptTokens + usage.completionTokens > size ? size : undefined
}

export function loadingText(fraction: number): string {
  return `loading the model ${Math.floor(fraction * 100)}%`
}

export function queuedText(position: number): string {
  return position === 0 ? "next in the queue" : `${position} ahead in the queue`
}
