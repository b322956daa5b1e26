import type { ChatMessage } from "../../domain/chat"
import { type AnswerOptions, answerOptions, type ParameterValues } from "../args/parameters"
import type { ChatTurn } from "../client/answers"

/** A question with its answer. */
interface Exchange {
  readonly question: string
  readonly answer: string
}

export interface ConversationStart {
  readonly model: string
  readonly system: string
  readonly parameters: ParameterValues
  /** What every request has besides. */
  readonly options?: Partial<AnswerOptions>
  readonly isVerbose: boolean
  /** Whether lines of answers are broken between words; absent: they are. */
  readonly wrapsWords?: boolean
}

/** What a chat template puts around a question and its answer, in characters; about right for most. */
const TEMPLATE_LENGTH = 40

/** The state of a conversation: with whom, what was said, and how answers are made. */
export class Conversation {
  model: string
  /** Empty: none. */
  system: string
  parameters: ParameterValues
  isVerbose: boolean
  wrapsWords: boolean
  /** What `num_ctx` was set to. */
  contextLength: number | undefined
  readonly #options: Partial<AnswerOptions>
  #exchanges: readonly Exchange[] = []

  constructor(start: ConversationStart) {
    this.model = start.model
    this.system = start.system
    this.parameters = start.parameters
    this.isVerbose = start.isVerbose
    this.wrapsWords = start.wrapsWords ?? true
    this.#options = start.options ?? {}
  }

  /** What was said, oldest first. */
  get messages(): readonly ChatMessage[] {
    return this.#exchanges.flatMap(({ question, answer }): readonly ChatMessage[] => [
      { role: "user", content: question },
      { role: "assistant", content: answer },
    ])
  }

  /** The request that asks `question` next. */
  turn(question: string): ChatTurn {
    const system: readonly ChatMessage[] =
      this.system === "" ? [] : [{ role: "system", content: this.system }]
    return {
      model: this.model,
      messages: [...system, ...this.messages, { role: "user", content: question }],
      options: { ...answerOptions(this.parameters), ...this.#options },
    }
  }

  /** Remembers a question with its answer; one that got no answer is forgotten, so that it can be asked again. */
  remember(question: string, answer: string): void {
    if (answer === "") return
    this.#exchanges = [...this.#exchanges, { question, answer }]
  }

  /**
   * Forgets the oldest questions and answers until the request that asks `question`, which has about `tokens`, has about
   * `limit`: at least one, where there is one. The system message stays.
   * @returns how many were forgotten
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

  /** @returns what makes the conversation as it is now again */
  checkpoint(): () => void {
    const exchanges = this.#exchanges
    return () => {
      this.#exchanges = exchanges
    }
  }

  clear(): void {
    this.#exchanges = []
  }
}
