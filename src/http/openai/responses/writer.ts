import type { DeltaEvent, FinishReason, GenerationEvent, PartStartEvent, Usage } from "../../../domain/chat"
import { InternalError, type XllmError } from "../../../errors/base"
import type { JsonObject } from "../../read/body/json-body"
import { LogprobBudget } from "../../render/answer"
import { toChatLogprobs } from "../logprobs"
import type { ResponseReply } from "./call"
import { newId, newItem, type OutputItem, partOf, toItemBody } from "./output-items"
import { customInputOf } from "./tool-forms"

export interface WriterOptions extends ResponseReply {
  readonly model: string
  /**
   * Keeps the complete response for later requests. Returns why that failed: a sentence. Absent: it is not kept.
   */
  readonly keep?: (response: JsonObject) => string | undefined
}

/** Renders the events of a chat as those of OpenAI's Responses API, and collects them into one response. */
export class ResponseWriter {
  readonly #id = newId("resp")
  readonly #createdAt = seconds()
  readonly #options: WriterOptions
  readonly #items: OutputItem[] = []
  readonly #budget = new LogprobBudget()
  #sequence = 0
  #warnings: readonly string[]
  #reason: FinishReason = "stop"
  #usage: Usage | undefined
  #completedAt: number | null = null
  #isKept: boolean

  constructor(options: WriterOptions) {
    this.#options = options
    this.#warnings = options.warnings
    this.#isKept = options.keep !== undefined
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
        return this.#add(event)
      case "part-end":
        return this.#close()
      case "finish":
        this.#reason = event.reason
        return ""
      case "done":
        return this.#end(event.usage)
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

  #end(usage: Usage): string {
    this.#usage = usage
    this.#completedAt = this.#reason === "length" ? null : seconds()
    const failure = this.#options.keep?.(this.whole())
    if (failure !== undefined) {
      this.#isKept = false
      this.warn(failure)
    }
    const type = this.#reason === "length" ? "response.incomplete" : "response.completed"
    return this.#event(type, { response: this.whole() })
  }

  #open(start: PartStartEvent): string {
    const item = newItem(start, this.#options.forms)
    this.#items.push(item)
    const place = this.#place()
    const added = this.#event("response.output_item.added", {
      output_index: place.output_index,
      item: toItemBody(item, this.#options),
    })
    const part = partOf(item, this.#options)
    return part === undefined
      ? added
      : added + this.#event(`${this.#partName(item)}.added`, { ...place, part })
  }

  #add({ text, logprobs = [] }: DeltaEvent): string {
    const item = this.#items.at(-1)
    if (item === undefined || (text === "" && logprobs.length === 0)) return ""
    item.text += text
    if (item.start.part === "text") {
      this.#budget.take(logprobs)
      item.logprobs.push(...logprobs)
    }
    const name = this.#textName(item)
    // Of other tools than functions, the input is known when it is complete.
    if (name === undefined) return ""
    const extras = item.start.part === "text" ? { logprobs: toChatLogprobs(logprobs).content } : {}
    return this.#event(`${name}.delta`, { ...this.#place(), delta: text, ...extras })
  }

  #close(): string {
    const item = this.#items.at(-1)
    if (item === undefined) return ""
    item.isDone = true
    const place = this.#place()
    return (
      this.#endOfText(item, place) +
      this.#event("response.output_item.done", {
        output_index: place.output_index,
        item: toItemBody(item, this.#options),
      })
    )
  }

  #endOfText(item: OutputItem, place: JsonObject): string {
    const { start, text, form } = item
    if (start.part !== "tool-call") {
      const extras = start.part === "text" ? { logprobs: toChatLogprobs(item.logprobs).content } : {}
      return (
        this.#event(`${this.#textName(item) ?? ""}.done`, { ...place, text, ...extras }) +
        this.#event(`${this.#partName(item)}.done`, { ...place, part: partOf(item, this.#options) })
      )
    }
    if (form?.kind === "local_shell") return ""
    if (form?.kind === "custom") {
      const input = customInputOf(text)
      return (
        this.#event("response.custom_tool_call_input.delta", { ...place, delta: input }) +
        this.#event("response.custom_tool_call_input.done", { ...place, input })
      )
    }
    return this.#event("response.function_call_arguments.done", {
      ...place,
      name: form?.name ?? start.name,
      arguments: text,
    })
  }

  /** The beginning of the names of the events about an item's content. */
  #partName({ start }: OutputItem): string {
    const isSummary = start.part === "reasoning" && this.#options.isSummary
    return isSummary ? "response.reasoning_summary_part" : "response.content_part"
  }

  /** The same, of those with its text; undefined where it comes at once. */
  #textName({ start, form }: OutputItem): string | undefined {
    switch (start.part) {
      case "text":
        return "response.output_text"
      case "reasoning":
        return this.#options.isSummary ? "response.reasoning_summary_text" : "response.reasoning_text"
      case "tool-call":
        return form?.kind === "function" ? "response.function_call_arguments" : undefined
      default:
        return start satisfies never
    }
  }

  /** Where the newest item is. */
  #place(): { readonly item_id: string; readonly output_index: number } {
    const item = this.#items.at(-1)
    const place = { item_id: item?.id ?? "", output_index: this.#items.length - 1 }
    if (item === undefined || item.start.part === "tool-call") return place
    const isSummary = item.start.part === "reasoning" && this.#options.isSummary
    return { ...place, ...(isSummary ? { summary_index: 0 } : { content_index: 0 }) }
  }

  #response(status: "in_progress" | "completed" | "incomplete" | "failed"): JsonObject {
    return {
      id: this.#id,
      object: "response",
      created_at: this.#createdAt,
      completed_at: this.#completedAt,
      status,
      access_programs: null,
      background: false,
      conversation: null,
      error: null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      model: this.#options.model,
      output: status === "in_progress" ? [] : this.#items.map((item) => toItemBody(item, this.#options)),
      prompt: null,
      service_tier: "default",
      store: this.#isKept,
      ...this.#options.echoed,
      usage: this.#usage === undefined ? null : toUsage(this.#usage),
      ...(this.#warnings.length > 0 && { warnings: this.#warnings }),
    }
  }

  #event(type: string, body: JsonObject): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#sequence++, ...body })}\n\n`
  }
}

/** Unix time. */
function seconds(): number {
  return Math.floor(Date.now() / 1000)
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
