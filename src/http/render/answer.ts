import type { FinishReason, GenerationEvent, Timings, Usage } from "../../domain/chat"
import { InternalError } from "../../errors/base"
import { InvalidRequest } from "../../errors/request"
import { PRODUCTS } from "../../limits"

/** One complete choice. */
export interface AnswerChoice {
  readonly text: string
  /** Of the echoed prompt and the answer, if requested. */
  readonly logprobs: readonly ReportedToken[]
  /** How many of `logprobs` belong to the prompt. */
  readonly echoedTokens: number
  /** Ids of all generated tokens, if requested. */
  readonly tokens?: readonly number[]
  readonly finishReason: FinishReason
}

/** The complete answer to one prompt. */
export interface CompleteAnswer {
  readonly choices: readonly AnswerChoice[]
  /** Deviations from what the client may expect, one sentence each. */
  readonly warnings: readonly string[]
  readonly usage: Usage
  readonly timings: Timings
}

interface OpenChoice {
  readonly texts: string[]
  readonly logprobs: ReportedToken[]
  echoedTokens: number
  tokens: number[] | undefined
  finishReason: FinishReason | undefined
}

type TextEvent = Extract<GenerationEvent, { type: "text" }>

/** Limits the log probabilities kept until an answer is sent: they dominate its memory use. */
export class LogprobBudget {
  #left = PRODUCTS.collectedLogprobs

  /** @throws InvalidRequest if there are too many */
  take(tokens: readonly ReportedToken[]): void {
    for (const token of tokens) this.#left -= "top" in token ? 1 + token.top.length : 1
    if (this.#left >= 0) return
    throw new InvalidRequest(
      `the answer has more than ${PRODUCTS.collectedLogprobs} log probabilities; ` +
        "ask for fewer choices, tokens or alternatives, or for a stream",
      "logprobs",
    )
  }
}

/** Collects the events of one prompt into its answer. */
export class AnswerBuilder {
  readonly #choices: readonly OpenChoice[]
  #warnings: readonly string[] = []
  readonly #budget: LogprobBudget
  #done: { readonly usage: Usage; readonly timings: Timings } | undefined

  /**
   * @param n how many choices are generated
   * @param budget the request's budget, shared by all its prompts
   */
  constructor(n: number, budget: LogprobBudget = new LogprobBudget()) {
    this.#budget = budget
    this.#choices = Array.from({ length: n }, () => ({
      texts: [],
      logprobs: [],
      echoedTokens: 0,
      tokens: undefined,
      finishReason: undefined,
    }))
  }

  add(event: GenerationEvent): void {
    switch (event.type) {
      case "prompt":
        this.#warnings = event.warnings ?? []
        for (const choice of this.#choices) {
          this.#extend(choice, event.text ?? "", event.logprobs)
          choice.echoedTokens = choice.logprobs.length
        }
        return
      case "text":
        return this.#addText(event)
      case "finish":
        this.#choice(event.choice).finishReason = event.reason
        return
      case "done":
        this.#done = event
        return
      case "loading":
      case "queued":
      case "progress":
        return
      default:
        event satisfies never
    }
  }

  #addText({ choice: index, text, logprobs, ids }: TextEvent): void {
    const choice = this.#choice(index)
    this.#extend(choice, text, logprobs)
    if (ids !== undefined) (choice.tokens ??= []).push(...ids)
  }

  /** @throws InternalError if events are missing */
  build(): CompleteAnswer {
    if (this.#done === undefined) throw new InternalError("the answer broke off before its end")
    const { usage, timings } = this.#done
    return { usage, timings, warnings: this.#warnings, choices: this.#choices.map(finished) }
  }

  #extend(choice: OpenChoice, text: string, logprobs: readonly ReportedToken[] | undefined): void {
    choice.texts.push(text)
    if (logprobs === undefined) return
    this.#budget.take(logprobs)
    for (const token of logprobs) choice.logprobs.push(token)
  }

  #choice(index: number): OpenChoice {
    const choice = this.#choices[index]
    if (choice === undefined) throw new InternalError(`there is no choice ${index}`)
    return choice
  }
}

function finished({ texts, logprobs, echoedTokens, tokens, finishReason }: OpenChoice): AnswerChoice {
  if (finishReason === undefined) throw new InternalError("a choice broke off before its end")
  return {
    text: texts.join(""),
    logprobs,
    echoedTokens,
    ...(tokens !== undefined && { tokens }),
    finishReason,
  }
}

/** A token of the prompt or the answer. The first token of a prompt has no probability. */
export type ReportedToken = NonNullable<Extract<GenerationEvent, { type: "prompt" }>["logprobs"]>[number]
