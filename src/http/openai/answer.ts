import type { FinishReason, GenerationEvent, Timings, Usage } from "../../domain"
import { InternalError } from "../../errors"
import type { ReportedToken } from "./logprobs"

/** One whole choice. */
export interface AnswerChoice {
  readonly text: string
  /** Of the echoed prompt and the answer, where they were asked for. */
  readonly logprobs: readonly ReportedToken[]
  /** How many of `logprobs` are the prompt's. */
  readonly echoedTokens: number
  /** Ids of all generated tokens, where they were asked for. */
  readonly tokens?: readonly number[]
  readonly finishReason: FinishReason
}

/** Everything that one prompt led to. */
export interface Answer {
  readonly choices: readonly AnswerChoice[]
  /** What is not as the client may expect, one sentence each. */
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

/** Collects the events of one prompt into its answer. */
export class AnswerBuilder {
  readonly #choices: readonly OpenChoice[]
  #warnings: readonly string[] = []
  #done: { readonly usage: Usage; readonly timings: Timings } | undefined

  /** @param n how many choices are generated */
  constructor(n: number) {
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
          extend(choice, event.text ?? "", event.logprobs)
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
    extend(choice, text, logprobs)
    if (ids !== undefined) (choice.tokens ??= []).push(...ids)
  }

  /** @throws InternalError where events are missing */
  build(): Answer {
    if (this.#done === undefined) throw new InternalError("the answer broke off before its end")
    const { usage, timings } = this.#done
    return { usage, timings, warnings: this.#warnings, choices: this.#choices.map(finished) }
  }

  #choice(index: number): OpenChoice {
    const choice = this.#choices[index]
    if (choice === undefined) throw new InternalError(`there is no choice ${index}`)
    return choice
  }
}

function extend(choice: OpenChoice, text: string, logprobs: readonly ReportedToken[] | undefined): void {
  choice.texts.push(text)
  for (const token of logprobs ?? []) choice.logprobs.push(token)
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
