import type { FinishReason, GenerationEvent, PartStartEvent, Usage } from "../../../domain/chat"
import { InternalError, type XllmError } from "../../../errors/base"
import type { JsonObject } from "../../read/body/json-body"
import { CUSTOM_INPUT } from "./items"

/** An item of the output. */
interface Item {
  readonly id: string
  readonly start: PartStartEvent
  text: string
  isDone: boolean
}

export interface ResponseOptions {
  readonly model: string
  /** Fields of the request that its response repeats. */
  readonly echoed: JsonObject
  /** Names of tools that take one text. */
  readonly custom: ReadonlySet<string>
}

/** Renders the events of a chat as those of OpenAI's Responses API, and collects them into one response. */
export class ResponseWriter {
  readonly #id = newId("resp")
  readonly #createdAt = Math.floor(Date.now() / 1000)
  readonly #options: ResponseOptions
  readonly #items: Item[] = []
  #sequence = 0
  #warnings: readonly string[] = []
  #reason: FinishReason = "stop"
  #usage: Usage | undefined

  constructor(options: ResponseOptions) {
    this.#options = options
  }

  /** Deviations from what the client may expect, one sentence each. */
  warn(...warnings: readonly string[]): void {
    this.#warnings = [...this.#warnings, ...warnings]
  }

  /** The server-sent events of an event; empty for those without any. */
  render(event: GenerationEvent): string {
    switch (event.type) {
      case "prompt":
        this.warn(...(event.warnings ?? []))
        return (
          this.#event("response.created", { response: this.#response("in_progress") }) +
          this.#event("response.in_progress", { response: this.#response("in_progress") })
        )
      case "part-start":
        return this.#open(event)
      case "delta":
        return this.#add(event.text)
      case "part-end":
        return this.#close()
      case "finish":
        this.#reason = event.reason
        return ""
      case "done": {
        this.#usage = event.usage
        const isCut = this.#reason === "length"
        return this.#event(isCut ? "response.incomplete" : "response.completed", { response: this.whole() })
      }
      case "loading":
      case "queued":
      case "progress":
        return ""
      default:
        return event satisfies never
    }
  }

  /** The last event of a stream that failed. */
  fail({ code, publicMessage: message }: XllmError): string {
    const response = { ...this.#response("failed"), error: { code, message } }
    return this.#event("response.failed", { response })
  }

  /** The whole response, once all events were rendered. @throws InternalError if some are missing */
  whole(): JsonObject {
    if (this.#usage === undefined) throw new InternalError("the answer broke off before its end")
    return this.#response(this.#reason === "length" ? "incomplete" : "completed")
  }

  #open(start: PartStartEvent): string {
    const item = { id: newId(PREFIXES[start.part]), start, text: "", isDone: false }
    this.#items.push(item)
    const place = this.#place()
    const added = this.#event("response.output_item.added", {
      output_index: place.output_index,
      item: this.#toItem(item),
    })
    const part = partOf(item)
    return part === undefined ? added : added + this.#event("response.content_part.added", { ...place, part })
  }

  #add(text: string): string {
    const item = this.#items.at(-1)
    if (text === "" || item === undefined) return ""
    item.text += text
    const name = this.#nameOf(item)
    // The arguments of a custom tool are one text, which is known when they are complete.
    if (name === undefined) return ""
    const extras = item.start.part === "text" ? { logprobs: [] } : {}
    return this.#event(`${name}.delta`, { ...this.#place(), delta: text, ...extras })
  }

  #close(): string {
    const item = this.#items.at(-1)
    if (item === undefined) return ""
    item.isDone = true
    const place = this.#place()
    return (
      this.#endOfText(item, place) +
      this.#event("response.output_item.done", { output_index: place.output_index, item: this.#toItem(item) })
    )
  }

  #endOfText(item: Item, place: JsonObject): string {
    const { start, text } = item
    if (start.part === "tool-call") {
      if (!this.#options.custom.has(start.name))
        return this.#event("response.function_call_arguments.done", {
          ...place,
          name: start.name,
          arguments: text,
        })
      const input = inputOf(text)
      return (
        this.#event("response.custom_tool_call_input.delta", { ...place, delta: input }) +
        this.#event("response.custom_tool_call_input.done", { ...place, input })
      )
    }
    const extras = start.part === "text" ? { logprobs: [] } : {}
    return (
      this.#event(`${this.#nameOf(item) ?? ""}.done`, { ...place, text, ...extras }) +
      this.#event("response.content_part.done", { ...place, part: partOf(item) })
    )
  }

  /** The name of the events with an item's text. */
  #nameOf({ start }: Item): string | undefined {
    switch (start.part) {
      case "text":
        return "response.output_text"
      case "reasoning":
        return "response.reasoning_text"
      case "tool-call":
        return this.#options.custom.has(start.name) ? undefined : "response.function_call_arguments"
      default:
        return start satisfies never
    }
  }

  /** Where the newest item is. */
  #place(): { readonly item_id: string; readonly output_index: number; readonly content_index?: number } {
    const item = this.#items.at(-1)
    const place = { item_id: item?.id ?? "", output_index: this.#items.length - 1 }
    return item?.start.part === "tool-call" ? place : { ...place, content_index: 0 }
  }

  #toItem(item: Item): JsonObject {
    const { id, start, text, isDone } = item
    const status = isDone ? "completed" : "in_progress"
    switch (start.part) {
      case "text":
        return { id, type: "message", status, role: "assistant", content: isDone ? [partOf(item)] : [] }
      case "reasoning":
        return { id, type: "reasoning", status, summary: [], content: isDone ? [partOf(item)] : [] }
      case "tool-call": {
        const common = { id, call_id: start.id, name: start.name, status }
        return this.#options.custom.has(start.name)
          ? { ...common, type: "custom_tool_call", input: isDone ? inputOf(text) : "" }
          : { ...common, type: "function_call", arguments: text }
      }
      default:
        return start satisfies never
    }
  }

  #response(status: "in_progress" | "completed" | "incomplete" | "failed"): JsonObject {
    return {
      id: this.#id,
      object: "response",
      created_at: this.#createdAt,
      status,
      background: false,
      error: null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      model: this.#options.model,
      output: status === "in_progress" ? [] : this.#items.map((item) => this.#toItem(item)),
      previous_response_id: null,
      service_tier: "default",
      // Nothing is kept between requests.
      store: false,
      ...this.#options.echoed,
      usage: this.#usage === undefined ? null : toUsage(this.#usage),
      ...(this.#warnings.length > 0 && { warnings: this.#warnings }),
    }
  }

  #event(type: string, body: JsonObject): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#sequence++, ...body })}\n\n`
  }
}

const PREFIXES = { text: "msg", reasoning: "rs", "tool-call": "fc" } as const

function newId(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`
}

/** The content of a message or of thinking; calls have none. */
function partOf({ start, text }: Item): JsonObject | undefined {
  if (start.part === "tool-call") return undefined
  return start.part === "text"
    ? { type: "output_text", text, annotations: [], logprobs: [] }
    : { type: "reasoning_text", text }
}

/** The one text of a custom tool's call; of one that was cut off, what is there. */
function inputOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === "object" && value !== null && CUSTOM_INPUT in value)
      return String(value[CUSTOM_INPUT])
  } catch {
    // Cut off.
  }
  return text
}

function toUsage({ promptTokens, completionTokens, cachedTokens, reasoningTokens = 0 }: Usage): JsonObject {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  }
}
