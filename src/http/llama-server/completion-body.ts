import type {
  CompletionRequest,
  FinishReason,
  GenerationEvent,
  RenderedPrompt,
  TokenAlternative,
  TokenLogprob,
} from "../../domain/chat"
import { InternalError } from "../../errors/base"
import type { AnswerChoice, CompleteAnswer } from "../render/answer"
import { RunningTimings, toTimingsBody } from "../render/timings"
import type { NativeCall } from "./completion-call"
import { toGenerationSettings } from "./generation-settings"

/** Known at the end only. */
const NO_SLOT = -1

/** What the last message of an answer says besides its text. */
export interface Ending {
  readonly model: string
  readonly rendered: RenderedPrompt
  /** Undefined: unknown. */
  readonly contextLength: number | undefined
  readonly request: CompletionRequest
  readonly index: number
  readonly stream: boolean
  readonly timingsPerToken: boolean
}

/** How an answer ended. */
interface End {
  readonly reason: FinishReason
  readonly stop: string | undefined
  /** The number of the sequence. */
  readonly slot: number | undefined
  readonly text: string
  readonly tokens: readonly number[]
}

/** A whole answer of `/completion`. */
export function toCompletionBody(
  answer: CompleteAnswer,
  choice: AnswerChoice,
  ending: Ending,
): Readonly<Record<string, unknown>> {
  const { text, finishReason: reason, stop, slot, tokens = [], logprobs } = choice
  return {
    ...endBody({ reason, stop, slot, text, tokens }, answer, ending),
    content: text,
    ...(ending.request.topLogprobs !== undefined && {
      completion_probabilities: logprobs.filter(isPredicted).map(probabilitiesOf(ending.request)),
    }),
  }
}

function endBody(
  { reason, stop, slot, text, tokens }: End,
  { usage, timings }: Pick<CompleteAnswer, "usage" | "timings">,
  { model, rendered, contextLength = Number.POSITIVE_INFINITY, request, index, ...ending }: Ending,
): Readonly<Record<string, unknown>> {
  const { parameters } = rendered
  return {
    index,
    content: "",
    tokens,
    id_slot: slot ?? NO_SLOT,
    stop: true,
    model,
    tokens_predicted: usage.completionTokens,
    tokens_evaluated: usage.promptTokens,
    generation_settings: toGenerationSettings(parameters, {
      ...ending,
      request,
      grammar: rendered.grammar,
    }),
    prompt: (rendered.bos ?? "") + rendered.prompt,
    has_new_line: text.includes("\n"),
    // By the end of the context: prompts are never cut, apart from those that ask for it.
    truncated:
      reason === "length" && usage.promptTokens + usage.completionTokens / request.n >= contextLength,
    stop_type: reason === "length" ? "limit" : stop === undefined ? "eos" : "word",
    stopping_word: stop ?? "",
    tokens_cached: usage.promptTokens + usage.completionTokens,
    timings: toTimingsBody(timings, usage.cachedTokens, request.n),
  }
}

/** Renders the events of one prompt's answer as the messages of a stream. */
export class CompletionStream {
  readonly #call: NativeCall
  readonly #request: CompletionRequest
  readonly #index: number
  readonly #running: RunningTimings | undefined
  #promptTokens = 0
  #generatedTokens = 0
  #text = ""
  #finish: Pick<End, "reason" | "stop" | "slot"> | undefined

  constructor(call: NativeCall, request: CompletionRequest, index: number) {
    this.#call = call
    this.#request = request
    this.#index = index
    this.#running = call.reply.timingsPerToken ? new RunningTimings() : undefined
  }

  /** `ending`: with the last event. @throws InternalError if it is missing then */
  render(event: GenerationEvent, ending: Ending | undefined): string {
    this.#running?.observe(event)
    switch (event.type) {
      case "prompt":
        this.#promptTokens = event.tokens
        return ""
      case "progress": {
        const { total, cached: cache, processed, ms: time_ms } = event
        if (!this.#call.reply.returnProgress) return ""
        return this.#message({
          ...this.#piece("", []),
          prompt_progress: { total, cache, processed, time_ms },
        })
      }
      case "delta": {
        this.#generatedTokens += event.tokens
        if (event.text === "" && event.logprobs === undefined && !event.ids?.length) return ""
        // Only whether it has a line break is needed.
        if (event.text.includes("\n")) this.#text = "\n"
        return this.#message({
          ...this.#piece(event.text, event.ids ?? []),
          ...(event.logprobs !== undefined && {
            completion_probabilities: event.logprobs.map(probabilitiesOf(this.#request)),
          }),
        })
      }
      case "finish":
        this.#finish = { reason: event.reason, stop: event.stop, slot: event.slot }
        return ""
      case "done": {
        const { reason = "stop", stop, slot } = this.#finish ?? {}
        if (ending === undefined) throw new InternalError("the answer has no ending")
        const end = { reason, stop, slot, text: this.#text, tokens: [] }
        return this.#message(selected(endBody(end, event, ending), this.#call.responseFields))
      }
      case "loading":
      case "queued":
      case "part-start":
      case "part-end":
        return ""
      default:
        return event satisfies never
    }
  }

  #piece(content: string, tokens: readonly number[]): Readonly<Record<string, unknown>> {
    return {
      index: this.#index,
      content,
      tokens,
      stop: false,
      // An answer that is paused may go on in another.
      id_slot: NO_SLOT,
      tokens_predicted: this.#generatedTokens,
      tokens_evaluated: this.#promptTokens,
      ...(this.#running !== undefined && { timings: this.#running.body() }),
    }
  }

  #message(body: Readonly<Record<string, unknown>>): string {
    return `data: ${JSON.stringify(body)}\n\n`
  }
}

/** Only the fields at `paths`, each under its path; all of them if there are none. */
export function selected(
  body: Readonly<Record<string, unknown>>,
  paths: readonly string[],
): Readonly<Record<string, unknown>> {
  if (paths.length === 0) return body
  const found = paths.map((path) => {
    const value = path.split("/").reduce<unknown>((inner, name) => memberOf(inner, name), body)
    return [path, value] as const
  })
  return Object.fromEntries(found.filter(([, value]) => value !== undefined))
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined
  // An object that has the member.
  return (value as Readonly<Record<string, unknown>>)[name]
}

/** After sampling llama-server sends probabilities, under other names. */
function probabilitiesOf({ logprobsAfterSampling }: CompletionRequest) {
  return ({ top, ...token }: TokenLogprob) =>
    logprobsAfterSampling === true
      ? { ...toProbable(token), top_probs: top.map(toProbable) }
      : { ...toLogprob(token), top_logprobs: top.map(toLogprob) }
}

function toLogprob(token: TokenAlternative) {
  return { ...toToken(token), logprob: token.logprob }
}

function toProbable(token: TokenAlternative) {
  return { ...toToken(token), prob: Math.exp(token.logprob) }
}

function toToken({ id, bytes }: TokenAlternative) {
  return { id, token: new TextDecoder().decode(Uint8Array.from(bytes)), bytes }
}

function isPredicted(token: object): token is TokenLogprob {
  return "top" in token
}
