import type {
  ChatMessage,
  ChatRequest,
  MediaPart,
  OutputConstraint,
  ReasoningOptions,
} from "../../domain/chat"
import { contentOf } from "../../domain/content"
import { type AnswerOptions, answerOptions, type ParameterValues } from "../args/parameters"
import { toChatRequest } from "../client/chat-request"

interface Exchange {
  readonly question: string
  /** What was shown with the question. */
  readonly media: readonly MediaPart[]
  readonly answer: string
  /** What the model thought before it answered; empty: nothing. */
  readonly reasoning: string
}

export interface ConversationStart {
  readonly model: string
  readonly system: string
  readonly parameters: ParameterValues
  /** Added to every request. */
  readonly options?: Partial<AnswerOptions>
  readonly isVerbose: boolean
  /** Are answers wrapped between words? Default: yes. */
  readonly wrapsWords?: boolean
  readonly hidesThinking?: boolean
}

/** The typical number of characters that a chat template adds to a question and its answer. */
const TEMPLATE_LENGTH = 40

/** A conversation's state: the model, the messages and the settings for answers. */
export class Conversation {
  model: string
  /** Empty: none. */
  system: string
  parameters: ParameterValues
  isVerbose: boolean
  wrapsWords: boolean
  readonly hidesThinking: boolean
  /** The value of `num_ctx`, if set. */
  contextLength: number | undefined
  #options: Partial<AnswerOptions>
  #exchanges: readonly Exchange[] = []
  #shown: readonly MediaPart[] = []

  constructor(start: ConversationStart) {
    this.model = start.model
    this.system = start.system
    this.parameters = start.parameters
    this.isVerbose = start.isVerbose
    this.wrapsWords = start.wrapsWords ?? true
    this.hidesThinking = start.hidesThinking ?? false
    this.#options = start.options ?? {}
  }

  /** The messages so far, oldest first. */
  get messages(): readonly ChatMessage[] {
    return this.#exchanges.flatMap(({ question, media, answer, reasoning }): readonly ChatMessage[] => [
      { role: "user", content: contentOf(media, question) },
      { role: "assistant", content: answer, ...(reasoning !== "" && { reasoning }) },
    ])
  }

  /** The request that asks `question` next. */
  turn(question: string): ChatRequest {
    const system: readonly ChatMessage[] =
      this.system === "" ? [] : [{ role: "system", content: this.system }]
    const messages: readonly ChatMessage[] = [
      ...system,
      ...this.messages,
      { role: "user", content: contentOf(this.#shown, question) },
    ]
    return toChatRequest(this.model, messages, { ...answerOptions(this.parameters), ...this.#options })
  }

  /** Adds pictures or sounds to the next question. @returns a function that takes them back */
  show(media: readonly MediaPart[]): () => void {
    const before = this.#shown
    this.#shown = [...before, ...media]
    return () => {
      this.#shown = before
    }
  }

  /** Takes back what was added to the next question. @returns was there anything? */
  withdrawAll(): boolean {
    const hadAny = this.#shown.length > 0
    this.#shown = []
    return hadAny
  }

  /** Are answers kept within JSON? */
  get isJson(): boolean {
    return this.#options.output !== undefined
  }

  /** What answers must be from now on; undefined: any text. */
  set output(output: OutputConstraint | undefined) {
    const { output: _, ...rest } = this.#options
    this.#options = output === undefined ? rest : { ...rest, output }
  }

  /** How the model thinks from now on. */
  set reasoning(reasoning: ReasoningOptions) {
    this.#options = { ...this.#options, reasoning }
  }

  /** Adds a question with its answer. An unanswered question is not kept, so that it can be asked again. */
  remember(question: string, answer: string, reasoning = ""): void {
    if (answer === "") return
    this.#exchanges = [...this.#exchanges, { question, media: this.#shown, answer, reasoning }]
    this.#shown = []
  }

  /**
   * Drops the oldest questions and answers, at least one if there is any, until the request for `question` shrinks
   * from about `tokens` to about `limit`. The system message stays.
   * @returns how many were dropped
   */
  forgetOldest(question: string, tokens: number, limit: number): number {
    const lengths = this.#exchanges.map((one) => one.question.length + one.answer.length + TEMPLATE_LENGTH)
    const whole =
      lengths.reduce((sum, length) => sum + length, 0) +
      this.system.length +
      question.length +
      TEMPLATE_LENGTH
    let rest = whole
    let count = 0
    for (const length of lengths) {
      if (count > 0 && (rest / whole) * tokens <= limit) break
      rest -= length
      count++
    }
    this.#exchanges = this.#exchanges.slice(count)
    return count
  }

  /** @returns a function that restores the current messages */
  checkpoint(): () => void {
    const exchanges = this.#exchanges
    return () => {
      this.#exchanges = exchanges
    }
  }

  clear(): void {
    this.#exchanges = []
    this.#shown = []
  }
}
