import type { ChatRequest, FinishReason, Timings, Usage } from "../../domain/chat"
import type { ModelBackend } from "../../engine/contract"
import { Cancelled } from "../../errors/request"
import type { Io } from "../terminal/io"
import { printable, terminalSafe } from "../terminal/output"
import { startSpinner } from "../terminal/spinner"
import { Thinking } from "../terminal/thinking"
import type { WordWrap } from "../terminal/word-wrap"

/** A finished answer. */
export interface PrintedAnswer {
  readonly text: string
  /** What the model thought before; empty: nothing. */
  readonly reasoning: string
  /** It was interrupted and is incomplete. */
  readonly isInterrupted: boolean
  readonly reason?: FinishReason
  readonly usage?: Usage
  readonly timings?: Timings
  /** From the question to the end of the answer. */
  readonly totalMs: number
}

export interface PrintOptions {
  readonly backend: ModelBackend
  readonly request: ChatRequest
  readonly io: Io
  /** Ends the answer without an error. */
  readonly signal: AbortSignal
  /** Does {@link write} print to a terminal? */
  readonly isTerminal: boolean
  /** Do not show on the terminal what the model thinks; elsewhere it never is. */
  readonly hidesThinking?: boolean
  /** Wraps the lines; absent: no wrapping. */
  readonly wrap?: WordWrap | undefined
  /** Called with each part of the answer. */
  write(text: string): void
  /** Called with deviations from what the user may expect, one sentence each. Default: prints them on stderr. */
  warn?(warning: string): void
}

/**
 * Asks, and passes on the answer as it arrives. Until then a spinner on stderr shows what it is waiting for.
 * @throws what the backend throws, except when the answer was interrupted through `signal`
 */
export async function printAnswer({
  backend,
  request,
  io,
  signal,
  isTerminal,
  hidesThinking = false,
  wrap,
  write,
  warn = (warning) => io.writeError(`warning: ${printable(warning)}\n`),
}: PrintOptions): Promise<PrintedAnswer> {
  const startedAt = performance.now()
  const spinner = startSpinner(io)
  const thinking = new Thinking({ write, wrap, hasColors: (io.environment["NO_COLOR"] ?? "") === "" })
  let text = ""
  let reasoning = ""
  let end: Partial<Pick<PrintedAnswer, "reason" | "usage" | "timings">> = {}
  try {
    for await (const event of backend.chat(request, signal)) {
      if (event.type === "loading") spinner.say(loadingText(event.fraction))
      else if (event.type === "queued") spinner.say(queuedText(event.position))
      else if (event.type === "prompt") {
        spinner.say("")
        if (event.warnings !== undefined) spinner.hide()
        for (const warning of event.warnings ?? []) warn(warning)
      } else if (event.type === "finish") end = { ...end, reason: event.reason }
      else if (event.type === "done") end = { ...end, usage: event.usage, timings: event.timings }
      else if (event.type === "delta" && event.part === "reasoning") {
        reasoning += event.text
        if (!isTerminal || hidesThinking) spinner.say("thinking")
        else {
          spinner.stop()
          thinking.add(terminalSafe(event.text))
        }
      } else if (event.type === "delta" && event.part === "text") {
        spinner.stop()
        thinking.end()
        // Most models write a blank line after the thinking, which is no part of the answer.
        const isFirst = reasoning !== "" && text.trim() === ""
        text += event.text
        const safe = isTerminal ? terminalSafe(event.text) : event.text
        const shown = isFirst ? safe.trimStart() : safe
        write(wrap === undefined ? shown : wrap.add(shown))
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
    thinking.breakOff()
  }
  return { text, reasoning, isInterrupted: signal.aborted, ...end, totalMs: performance.now() - startedAt }
}

/**
 * The context size to report for an answer that ended because the context was full. `undefined`: it ended for another
 * reason, or the size is unknown.
 */
export async function fullContext(
  { reason, usage }: PrintedAnswer,
  backend: ModelBackend,
  model: string,
): Promise<number | undefined> {
  if (reason !== "length" || usage === undefined) return undefined
  const size = await backend.contextLength(model).catch(() => undefined)
  return size !== undefined && usage.promptTokens + usage.completionTokens > size ? size : undefined
}

export function loadingText(fraction: number): string {
  return `loading the model ${Math.floor(fraction * 100)}%`
}

export function queuedText(position: number): string {
  return position === 0 ? "next in the queue" : `${position} ahead in the queue`
}
