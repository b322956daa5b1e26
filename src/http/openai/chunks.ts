import type {
  DeltaEvent,
  FinishReason,
  GenerationEvent,
  PartStartEvent,
  Timings,
  Usage,
} from "../../domain/chat"
import { InternalError } from "../../errors/base"
import type { ReplyOptions } from "../read/options"
import type { ReportedToken } from "../render/answer"
import { RunningTimings, toTimingsBody } from "../render/timings"
import type { ReplyIdentity } from "./reply"
import { toUsageBody } from "./usage"

/** What differs between the chunks of chats and completions. */
export interface ChunkFormat {
  readonly object: string
  /** JSON before and after the JSON string with a piece of text. */
  readonly textStart: string
  readonly textEnd: string
  /** JSON of a choice's delta without text. */
  readonly empty: string
  /**
   * JSON of a delta for a part other than text; undefined: it is not reported. `call`: which of the choice's tool calls
   * it belongs to.
   */
  part(event: PartStartEvent | DeltaEvent, call: number): string | undefined
  finishReason(reason: FinishReason): string
  /** JSON of a choice's first delta, if there is one. */
  readonly opening: string | undefined
  /** Creates a function that renders the `logprobs` of one choice piece by piece. */
  createLogprobs(): (tokens: readonly ReportedToken[]) => unknown
}

export interface ChunkOptions {
  readonly identity: ReplyIdentity
  readonly reply: ReplyOptions
  readonly prompts: number
  /** Choices per prompt. */
  readonly n: number
}

type DoneEvent = Extract<GenerationEvent, { type: "done" }>

/** Parts of a chunk besides its choice's text. */
interface ChunkExtras {
  readonly logprobs?: unknown
  readonly finishReason?: string | null
  /** Ids of the generated tokens, under llama-server's name. */
  readonly tokens?: readonly number[]
  /** Fields of the chunk itself. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/**
 * Renders generation events as OpenAI's chunks. A text event costs one JSON string: everything around the text is
 * constant for a stream and built once.
 */
export class Chunks {
  readonly #format: ChunkFormat
  readonly #reply: ReplyOptions
  readonly #prompts: number
  readonly #n: number
  /** A chunk up to its `choices`. */
  readonly #envelope: string
  /** A chunk after its `choices`, before its extra fields. */
  readonly #envelopeEnd: string
  /** By choice: a chunk up to its text. */
  readonly #heads: readonly string[]
  /** The end of a chunk that contains nothing but text. */
  readonly #plainTail: string
  readonly #logprobs: readonly ((tokens: readonly ReportedToken[]) => unknown)[]
  readonly #running: readonly RunningTimings[]
  /** By choice: how many tool calls have begun. */
  readonly #calls: number[]
  #openChoices: number
  /** The last choice's finish chunk waits for the timings, which follow immediately. */
  #lastFinish: { readonly choice: number; readonly reason: string } | undefined
  readonly #done: { readonly usage: Usage; readonly timings: Timings }[] = []

  constructor(format: ChunkFormat, { identity, reply, prompts, n }: ChunkOptions) {
    const choices = Array.from({ length: prompts * n }, (_, index) => index)
    const { id, created, model, system_fingerprint } = identity
    const shared = JSON.stringify({ id, object: format.object, created, model, system_fingerprint })
    this.#format = format
    this.#reply = reply
    this.#prompts = prompts
    this.#n = n
    this.#envelope = `data: ${shared.slice(0, -1)},"choices":[`
    this.#envelopeEnd = reply.includeUsage ? `],"usage":null` : "]"
    this.#heads = choices.map((choice) => `${this.#envelope}{"index":${choice},${format.textStart}`)
    this.#plainTail = `${format.textEnd},"logprobs":null,"finish_reason":null}${this.#envelopeEnd}}\n\n`
    this.#logprobs = choices.map(() => format.createLogprobs())
    this.#running = reply.timingsPerToken ? Array.from({ length: prompts }, () => new RunningTimings()) : []
    this.#calls = choices.map(() => 0)
    this.#openChoices = choices.length
  }

  /** Renders one event of the prompt with this index; empty for events that have no chunk. */
  render(event: GenerationEvent, prompt = 0): string {
    this.#running[prompt]?.observe(event)
    switch (event.type) {
      case "delta":
        return event.part === "text" ? this.#text(event, prompt) : this.#partDelta(event, prompt)
      case "part-start":
        return this.#startPart(event, prompt)
      case "prompt":
        return this.#open(event, prompt)
      case "progress":
        return this.#reply.returnProgress ? this.#progress(event, prompt) : ""
      case "finish":
        return this.#finish(prompt * this.#n + event.choice, this.#format.finishReason(event.reason))
      case "done":
        return this.#finishAll(event)
      case "part-end":
      case "loading":
      case "queued":
        return ""
      default:
        return event satisfies never
    }
  }

  /** Renders the end of the stream. @throws InternalError if events are missing */
  end(): string {
    if (this.#done.length < this.#prompts) throw new InternalError("the answer broke off before its end")
    return "data: [DONE]\n\n"
  }

  #text(event: DeltaEvent, prompt: number): string {
    const choice = prompt * this.#n + event.choice
    const running = this.#running[prompt]
    if (event.logprobs === undefined && running === undefined && event.ids === undefined) {
      return event.text === "" ? "" : this.#heads[choice] + JSON.stringify(event.text) + this.#plainTail
    }
    // The final event: all tokens have been reported already.
    if (event.text === "" && event.logprobs === undefined && event.ids?.length === 0) return ""
    return this.#textChunk(choice, event.text, this.#extrasOf(event, prompt))
  }

  /** The other parts are rare, so they are serialised as objects. */
  #partDelta(event: DeltaEvent, prompt: number): string {
    if (event.text === "" && event.logprobs === undefined && !event.ids?.length) return ""
    const choice = prompt * this.#n + event.choice
    const call = (this.#calls[choice] ?? 0) - 1
    const delta = this.#format.part(event, call)
    return delta === undefined ? "" : this.#chunk(choice, delta, this.#extrasOf(event, prompt))
  }

  /** Only a tool call has anything to show before its text. */
  #startPart(event: PartStartEvent, prompt: number): string {
    if (event.part !== "tool-call") return ""
    const choice = prompt * this.#n + event.choice
    const call = this.#calls[choice] ?? 0
    this.#calls[choice] = call + 1
    const delta = this.#format.part(event, call)
    return delta === undefined ? "" : this.#chunk(choice, delta, {})
  }

  #extrasOf({ choice: index, logprobs, ids }: DeltaEvent, prompt: number): ChunkExtras {
    const running = this.#running[prompt]
    return {
      ...(logprobs !== undefined && { logprobs: this.#logprobs[prompt * this.#n + index]?.(logprobs) }),
      ...(ids !== undefined && { tokens: ids }),
      ...(running !== undefined && { fields: { timings: running.body() } }),
    }
  }

  /** Starts the prompt's choices; an echoed prompt is the first text of each. */
  #open(event: Extract<GenerationEvent, { type: "prompt" }>, prompt: number): string {
    let chunks = ""
    for (let choice = prompt * this.#n; choice < (prompt + 1) * this.#n; choice++) {
      if (this.#format.opening !== undefined) {
        const { warnings } = event
        const isFirst = choice === prompt * this.#n
        const extras = isFirst && warnings !== undefined ? { fields: { warnings } } : {}
        chunks += this.#chunk(choice, this.#format.opening, extras)
      }
      if (event.text === undefined) continue
      const logprobs = event.logprobs && this.#logprobs[choice]?.(event.logprobs)
      chunks += this.#textChunk(choice, event.text, { logprobs })
    }
    return chunks
  }

  #progress(event: Extract<GenerationEvent, { type: "progress" }>, prompt: number): string {
    const { total, cached, processed, ms } = event
    const prompt_progress = { total, cache: cached, processed, time_ms: ms }
    const running = this.#running[prompt]
    return this.#chunk(prompt * this.#n, this.#format.empty, {
      fields: { prompt_progress, ...(running !== undefined && { timings: running.body() }) },
    })
  }

  #finish(choice: number, reason: string): string {
    this.#openChoices--
    if (this.#openChoices > 0 || this.#reply.includeUsage) return this.#finishChunk(choice, reason, {})
    this.#lastFinish = { choice, reason }
    return ""
  }

  #finishAll(event: DoneEvent): string {
    this.#done.push(event)
    if (this.#done.length < this.#prompts) return ""
    const usages = this.#done.map(({ usage }) => usage)
    // Several prompts ran in parallel, so their times cannot be combined.
    const timings = this.#prompts === 1 && toTimingsBody(event.timings, event.usage.cachedTokens, this.#n)
    const fields = timings === false ? {} : { timings }
    const last = this.#lastFinish
    const finish = last === undefined ? "" : this.#finishChunk(last.choice, last.reason, fields)
    if (!this.#reply.includeUsage) return finish
    return `${finish}${this.#envelope}]${membersOf({ usage: toUsageBody(usages), ...fields })}}\n\n`
  }

  #finishChunk(choice: number, finishReason: string, fields: Readonly<Record<string, unknown>>): string {
    return this.#chunk(choice, this.#format.empty, { finishReason, fields })
  }

  #textChunk(choice: number, text: string, extras: ChunkExtras): string {
    return this.#chunk(choice, this.#format.textStart + JSON.stringify(text) + this.#format.textEnd, extras)
  }

  #chunk(
    choice: number,
    part: string,
    { logprobs = null, finishReason = null, tokens, fields = {} }: ChunkExtras,
  ): string {
    const about = membersOf({
      logprobs,
      finish_reason: finishReason,
      ...(tokens !== undefined && { tokens }),
    })
    const choiceJson = `{"index":${choice},${part}${about}}`
    return `${this.#envelope}${choiceJson}${this.#envelopeEnd}${membersOf(fields)}}\n\n`
  }
}

/** The members of an object, as JSON that continues another object. */
function membersOf(fields: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(fields).slice(1, -1)
  return json === "" ? "" : `,${json}`
}
