import { textOf } from "../../domain/content"
import { XllmError } from "../../errors/base"
import { numberAt } from "../../lib/json"
import type { PrintedAnswer } from "../client/print-answer"
import type { Conversation } from "./conversation"

/** Beyond this fraction of the context there is too little room for a useful answer. */
const FULL = 7 / 8

/**
 * The fraction of the context to keep when turns are dropped. As low as a half, because everything after the system
 * message must then be evaluated again, which should not happen for every question.
 */
const KEPT = 1 / 2

/** Keeps a conversation within its model's context by dropping its oldest turns. */
export class ContextWindow {
  readonly #conversation: Conversation
  /** Tokens of the conversation after its last answer; `undefined` if unknown. */
  #used: number | undefined
  #usedLength = 0
  #size: number | undefined

  constructor(conversation: Conversation) {
    this.#conversation = conversation
  }

  /** Records an answer. @param size the model's context in tokens; `undefined`: unknown */
  answered(answer: PrintedAnswer, size: number | undefined): void {
    this.#size = size
    this.#used = answer.usage && answer.usage.promptTokens + answer.usage.completionTokens
    this.#usedLength = this.#length
  }

  /** Called for a different model or a new conversation. */
  reset(): void {
    this.#used = undefined
  }

  /** Drops turns before a question that would leave no room for its answer. @returns how many */
  makeRoom(question: string): number {
    if (this.#used === undefined || this.#size === undefined) return 0
    const perLetter = this.#used / Math.max(1, this.#usedLength)
    const tokens = this.#used + Math.ceil(question.length * Math.min(1, perLetter))
    if (tokens <= this.#size * FULL) return 0
    return this.#drop(question, tokens, this.#size)
  }

  /**
   * Drops turns after a question did not fit into the context.
   * @returns how many; 0: the question alone is too long
   */
  makeRoomAfter(error: XllmError, question: string): number {
    const tokens = numberAt(error.details, "n_prompt_tokens")
    const size = numberAt(error.details, "n_ctx")
    // Older servers report neither.
    return this.#drop(question, tokens ?? 2, size ?? 1)
  }

  #drop(question: string, tokens: number, size: number): number {
    this.#used = undefined
    return this.#conversation.forgetOldest(question, tokens, size * KEPT)
  }

  get #length(): number {
    const { system, messages } = this.#conversation
    return messages.reduce((sum, { content }) => sum + textOf(content).length, system.length)
  }
}

/** Was a question refused because the conversation fills the context? */
export function isContextFull(error: unknown): error is XllmError {
  return error instanceof XllmError && error.code === "context_length_exceeded"
}
