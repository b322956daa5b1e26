import type {
  DeltaEvent,
  FinishReason,
  GenerationEvent,
  PartStartEvent,
  Timings,
  ToolCall,
  Usage,
} from "../../domain/chat"
import { InternalError } from "../../errors/base"
import { InvalidRequest } from "../../errors/request"
import { PRODUCTS } from "../../limits"

/** One complete choice. */
export interface AnswerChoice {
  readonly text: string
  /** What the model thought before; absent: nothing. */
  readonly reasoning?: string
  /** Absent: none. */
  readonly toolCalls?: readonly ToolCall[]
  /** Of the echoed prompt and the answer, if requested. */
  readonly logprobs: readonly ReportedToken[]
  /** How many of `logprobs` belong to the prompt. */
  readonly echoedTokens: number
  /** Ids of all generated tokens, if requested. */
  readonly tokens?: readonly number[]
  readonly finishReason: FinishReason
  /** The stop text that ended it. */
  readonly stop?: string
  /** The number of the sequence that it was generated in, if requested. */
  readonly slot?: number
}

/** The complete answer to one prompt. */
export interface CompleteAnswer {
  readonly choices: readonly AnswerChoice[]
  /** Deviations from what the client may expect, one sentence each. */
  readonly warnings: readonly string[]
  readonly usage: Usage
  readonly timings: Timings
}

interface OpenCall {
  readonly id: string
  readonly name: string
  readonly texts: string[]
}

interface OpenChoice {
  readonly texts: string[]
  readonly reasoning: string[]
  readonly calls: OpenCall[]
  readonly logprobs: ReportedToken[]
  echoedTokens: number
  tokens: number[] | undefined
  finishReason: FinishReason | undefined
  stop: string | undefined
  slot: number | undefined
}

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
      reasoning: [],
      calls: [],
      logprobs: [],
      echoedTokens: 0,
      tokens: undefined,
      finishReason: undefined,
      stop: undefined,
      slot: undefined,
    }))
  }

  add(event: GenerationEvent): void {
    switch (event.type) {
      case "prompt":
        this.#warnings = event.warnings ?? []
        for (const choice of this.#choices) {
          choice.texts.push(event.text ?? "")
          this.#addLogprobs(choice, event.logprobs)
          choice.echoedTokens = choice.logprobs.length
        }
        return
      case "part-start":
        return this.#start(event)
      case "delta":
        return this.#addDelta(event)
      case "finish":
        return this.#finish(event)
      case "done":
        this.#done = event
        return
      case "loading":
      case "queued":
      case "progress":
      case "part-end":
        return
      default:
        event satisfies never
    }
  }

  #finish({ choice: index, reason, stop, slot }: Extract<GenerationEvent, { type: "finish" }>): void {
    const choice = this.#choice(index)
    choice.finishReason = reason
    choice.stop = stop
    choice.slot = slot
  }

  #start(event: PartStartEvent): void {
    if (event.part !== "tool-call") return
    const { id, name } = event
    this.#choice(event.choice).calls.push({ id, name, texts: [] })
  }

  #addDelta({ choice: index, part, text, logprobs, ids }: DeltaEvent): void {
    const choice = this.#choice(index)
    textsOf(choice, part).push(text)
    this.#addLogprobs(choice, logprobs)
    if (ids !== undefined) (choice.tokens ??= []).push(...ids)
  }

  /** @throws InternalError if events are missing */
  build(): CompleteAnswer {
    if (this.#done === undefined) throw new InternalError("the answer broke off before its end")
    const { usage, timings } = this.#done
    return { usage, timings, warnings: this.#warnings, choices: this.#choices.map(finished) }
  }

  #addLogprobs(choice: OpenChoice, logprobs: readonly ReportedToken[] | undefined): void {
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

/** Where a part's text belongs: a tool call's to the newest call. */
function textsOf({ texts, reasoning, calls }: OpenChoice, part: DeltaEvent["part"]): string[] {
  if (part === "text") return texts
  if (part === "reasoning") return reasoning
  const call = calls.at(-1)
  if (call === undefined) throw new InternalError("there are arguments without a tool call")
  return call.texts
}

function finished(choice: OpenChoice): AnswerChoice {
  const { texts, reasoning, calls, logprobs, echoedTokens, tokens, finishReason, stop, slot } = choice
  if (finishReason === undefined) throw new InternalError("a choice broke off before its end")
  return {
    text: texts.join(""),
    ...(reasoning.length > 0 && { reasoning: reasoning.join("") }),
    ...(calls.length > 0 && {
      toolCalls: calls.map(({ id, name, texts: pieces }) => ({ id, name, arguments: pieces.join("") })),
    }),
    logprobs,
    echoedTokens,
    ...(tokens !== undefined && { tokens }),
    finishReason,
    ...(stop !== undefined && { stop }),
    ...(slot !== undefined && { slot }),
  }
}

/** A token of the prompt or the answer. The first token of a prompt has no probability. */
export type ReportedToken = NonNullable<Extract<GenerationEvent, { type: "prompt" }>["logprobs"]>[number]
