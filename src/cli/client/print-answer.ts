import type { FinishReason, Timings, Usage } from "../../domain/chat"
import { Cancelled } from "../../errors/request"
import type { Io } from "../terminal/io"
import { terminalSafe } from "../terminal/output"
import { startSpinner } from "../terminal/spinner"
import type { WordWrap } from "../terminal/word-wrap"
import type { AnswerSource, ChatTurn } from "./answers"

/** An answer, once it is over. */
export interface PrintedAnswer {
  readonly text: string
  /** It was given up before its end; then the rest is missing. */
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
  /** Ends the answer quietly. */
  readonly signal: AbortSignal
  /** Whether {@link write} shows it on one. */
  readonly isTerminal: boolean
  /** What breaks its lines; absent: nothing does. */
  readonly wrap?: WordWrap | undefined
  /** Takes the answer as it comes. */
  write(text: string): void
}

/**
 * Asks, and hands the answer over as it comes. Until then a spinner tells on stderr what is waited for.
 * @throws what the source throws, but not for an answer that was given up through `signal`
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
      // What is said of the error begins a line of its own.
      if (isTerminal && text !== "" && !text.endsWith("\n")) write("\n")
      throw error
    }
  } finally {
    spinner.stop()
  }
  return { text, isInterrupted: signal.aborted, ...end, totalMs: performance.now() - startedAt }
}

/**
 * What is to be said of an answer that ended because the context was full: the size of the context. `undefined`: it
 * ended for another reason, or that cannot be known.
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
