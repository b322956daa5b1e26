import { findPaths } from "../../config/paths"
import type { MediaPart } from "../../domain/chat"
import { Cancelled } from "../../errors/request"
import { type AnswerOptions, parameterFlags, type ParameterValues } from "../args/parameters"
import type { ModelRunner } from "../client/runner"
import type { Io } from "../terminal/io"
import { Conversation } from "./conversation"
import { History, HISTORY_SIZE } from "./history"
import { LineEditor } from "./line-editor"
import { PlainTerminal } from "./plain-terminal"
import { Session } from "./session"
import type { Terminal } from "./terminal"

export interface StartOptions {
  readonly model: string
  readonly system: string | undefined
  /** May include other flags. */
  readonly parameters: ParameterValues
  /** Added to every request. */
  readonly options: Partial<AnswerOptions>
  readonly verbose: boolean
  readonly wrapsWords: boolean
  readonly hidesThinking: boolean
  /** Shown with the first question. */
  readonly media: readonly MediaPart[]
  readonly io: Io
  readonly runner: ModelRunner
}

/** Loads the model and runs a conversation on the process's terminal. */
export async function startConversation(options: StartOptions): Promise<void> {
  const { model, io, runner } = options
  const history = new History(findPaths(io.environment).history)
  const lines = await history.load()
  const terminal = openTerminal(lines, io)
  // The terminal must be restored however the conversation ends.
  const endBySignal = () => terminal.close()
  process.once("SIGTERM", endBySignal)
  try {
    const conversation = new Conversation({
      model,
      system: options.system ?? "",
      parameters: onlyParameters(options.parameters),
      options: options.options,
      isVerbose: options.verbose,
      wrapsWords: options.wrapsWords,
      hidesThinking: options.hidesThinking,
    })
    conversation.show(options.media)
    const session = new Session({ conversation, runner, terminal, history, io })
    await session.load(model)
    await session.run()
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error
  } finally {
    terminal.close()
    process.off("SIGTERM", endBySignal)
  }
}

function openTerminal(lines: readonly string[], io: Io): Terminal {
  const { TERM: name, NO_COLOR: noColor = "" } = io.environment
  if (name === "dumb") return new PlainTerminal()
  return new LineEditor({
    history: lines.toReversed(),
    historySize: HISTORY_SIZE,
    hasColors: noColor === "",
  })
}

function onlyParameters(flags: ParameterValues): ParameterValues {
  return Object.fromEntries(Object.entries(flags).filter(([key]) => Object.hasOwn(parameterFlags, key)))
}
