import type { ChatMessage } from "../../domain"
import type { Turn } from "../answers"
import { answerOptions, type ParameterValues } from "../parameters"

/** The state of a conversation: with whom, what was said, and how answers are made. */
export class Conversation {
  model: string
  /** Empty: none. */
  system: string
  parameters: ParameterValues
  isVerbose: boolean
  #messages: readonly ChatMessage[] = []

  constructor(start: { model: string; system: string; parameters: ParameterValues; isVerbose: boolean }) {
    this.model = start.model
    this.system = start.system
    this.parameters = start.parameters
    this.isVerbose = start.isVerbose
  }

  /** The request that asks `question` next. */
  turn(question: string): Turn {
    const system: readonly ChatMessage[] =
      this.system === "" ? [] : [{ role: "system", content: this.system }]
    return {
      model: this.model,
      messages: [...system, ...this.#messages, { role: "user", content: question }],
      options: answerOptions(this.parameters),
    }
  }

  /** Remembers a question with its answer; one that got no answer is forgotten, so that it can be asked again. */
  remember(question: string, answer: string): void {
    if (answer === "") return
    this.#messages = [
      ...this.#messages,
      { role: "user", content: question },
      { role: "assistant", content: answer },
    ]
  }

  clear(): void {
    this.#messages = []
  }
}
