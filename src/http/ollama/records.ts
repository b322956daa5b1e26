import type { FinishReason, GenerationEvent, Timings, TokenLogprob, Usage } from "../../domain/chat"
import { InternalError } from "../../errors/base"

/** What one of Ollama's routes has in its records besides the common fields. */
export interface RecordForm {
  /** A piece of the answer, or all of it. */
  body(piece: AnswerPart): Readonly<Record<string, unknown>>
}

export interface AnswerPart {
  readonly text: string
  readonly thinking: string
  readonly toolCalls: readonly ToolCallBody[]
}

interface ToolCallBody {
  readonly id: string
  readonly function: { readonly index: number; readonly name: string; readonly arguments: unknown }
}

const EMPTY: AnswerPart = { text: "", thinking: "", toolCalls: [] }

/** `/api/chat` */
export const CHAT_RECORDS: RecordForm = {
  body: ({ text, thinking, toolCalls }) => ({
    message: {
      role: "assistant",
      content: text,
      ...(thinking !== "" && { thinking }),
      ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
    },
  }),
}

/** `/api/generate` */
export const GENERATE_RECORDS: RecordForm = {
  body: ({ text, thinking, toolCalls }) => ({
    response: text,
    ...(thinking !== "" && { thinking }),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
  }),
}

type JsonRecord = Readonly<Record<string, unknown>>

/** What the last record has besides what the events say. */
export interface Additions {
  /** Tokens of the prompt, where the answer's are to be reported with them. */
  readonly promptTokens?: readonly number[] | undefined
  /** How many of the oldest messages were dropped; 0: none. */
  readonly droppedMessages: number
  /** What the client is to know, one sentence each, besides the engine's own. */
  readonly warnings: readonly string[]
}

/** Turns the events of an answer into Ollama's records: pieces, and a last one. Collects them as well. */
export class AnswerRecords {
  readonly #model: string
  readonly #form: RecordForm
  readonly #wantsIds: boolean
  #text = ""
  #thinking = ""
  readonly #calls: ToolCallBody[] = []
  readonly #logprobs: TokenLogprob[] = []
  readonly #ids: number[] = []
  #warnings: readonly string[] = []
  #open: { readonly id: string; readonly name: string; arguments: string } | undefined
  #reason: FinishReason = "stop"
  #done: { readonly usage: Usage; readonly timings: Timings } | undefined

  /** `model`: as the client named it. `wantsIds`: collect the ids of the answer's tokens. */
  constructor(model: string, form: RecordForm, wantsIds: boolean) {
    this.#model = model
    this.#form = form
    this.#wantsIds = wantsIds
  }

  /** The record of a piece of the answer; undefined for events without one. */
  piece(event: GenerationEvent): JsonRecord | undefined {
    switch (event.type) {
      case "prompt":
        this.#warnings = event.warnings ?? []
        return undefined
      case "part-start":
        if (event.part === "tool-call") this.#open = { id: event.id, name: event.name, arguments: "" }
        return undefined
      case "delta":
        return this.#delta(event)
      case "part-end":
        return event.part === "tool-call" ? this.#endCall() : undefined
      case "finish":
        this.#reason = event.reason
        return undefined
      case "done":
        this.#done = event
        return undefined
      case "loading":
      case "queued":
      case "progress":
        return undefined
      default:
        return event satisfies never
    }
  }

  #delta({ part, text, logprobs, ids }: Extract<GenerationEvent, { type: "delta" }>): JsonRecord | undefined {
    if (this.#wantsIds && ids !== undefined) this.#ids.push(...ids)
    if (part === "tool-call") {
      if (this.#open !== undefined) this.#open.arguments += text
      return undefined
    }
    if (logprobs !== undefined) this.#logprobs.push(...logprobs)
    if (text === "" && logprobs === undefined) return undefined
    if (part === "text") this.#text += text
    else this.#thinking += text
    const piece = part === "text" ? { ...EMPTY, text } : { ...EMPTY, thinking: text }
    return this.#record(piece, false, logprobs)
  }

  /** Calls are reported as a whole. One that was cut off has arguments that are no JSON: they stay text. */
  #endCall(): JsonRecord | undefined {
    const call = this.#open
    this.#open = undefined
    if (call === undefined) return undefined
    const { id, name, arguments: text } = call
    const body = { id, function: { index: this.#calls.length, name, arguments: parsed(text) } }
    this.#calls.push(body)
    return this.#record({ ...EMPTY, toolCalls: [body] }, false)
  }

  /** The last record of a stream. @throws InternalError if events are missing */
  last(additions: Additions): JsonRecord {
    return { ...this.#record(EMPTY, true), ...this.#ending(additions) }
  }

  /** The whole answer in one record. @throws InternalError if events are missing */
  whole(additions: Additions): JsonRecord {
    const part = { text: this.#text, thinking: this.#thinking, toolCalls: this.#calls }
    const logprobs = this.#logprobs.length > 0 ? this.#logprobs : undefined
    return { ...this.#record(part, true, logprobs), ...this.#ending(additions) }
  }

  #record(part: AnswerPart, done: boolean, logprobs?: readonly TokenLogprob[]): JsonRecord {
    return {
      model: this.#model,
      created_at: new Date().toISOString(),
      ...this.#form.body(part),
      done,
      ...(logprobs !== undefined && { logprobs: logprobs.map(toLogprob) }),
    }
  }

  #ending({ promptTokens, droppedMessages, warnings: more }: Additions): JsonRecord {
    if (this.#done === undefined) throw new InternalError("the answer broke off before its end")
    const { usage, timings } = this.#done
    const { queueMs, loadMs, promptMs, generationMs } = timings
    const warnings = [...more, ...this.#warnings]
    return {
      done_reason: this.#reason === "length" ? "length" : "stop",
      ...(promptTokens !== undefined && { context: [...promptTokens, ...this.#ids] }),
      total_duration: nanoseconds(queueMs + loadMs + promptMs + generationMs),
      load_duration: nanoseconds(loadMs),
      prompt_eval_count: usage.promptTokens,
      prompt_eval_duration: nanoseconds(promptMs),
      eval_count: usage.completionTokens,
      eval_duration: nanoseconds(generationMs),
      ...(droppedMessages > 0 && { dropped_messages: droppedMessages }),
      ...(warnings.length > 0 && { warnings }),
    }
  }
}

/** The record of a request with nothing to answer, after which the model is loaded or not. */
export function idleRecord(model: string, form: RecordForm, reason: "load" | "unload"): JsonRecord {
  return {
    model,
    created_at: new Date().toISOString(),
    ...form.body(EMPTY),
    done: true,
    done_reason: reason,
  }
}

export function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function toLogprob({ bytes, logprob, top }: TokenLogprob) {
  const named = ({ bytes, logprob }: Pick<TokenLogprob, "bytes" | "logprob">) => ({
    token: new TextDecoder().decode(Uint8Array.from(bytes)),
    logprob,
    bytes,
  })
  return { ...named({ bytes, logprob }), ...(top.length > 0 && { top_logprobs: top.map(named) }) }
}
