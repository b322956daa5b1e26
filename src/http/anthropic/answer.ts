import type { FinishReason, GenerationEvent, PartKind, PartStartEvent, Usage } from "../../domain/chat"
import { InternalError } from "../../errors/base"

/** A block of an answer. */
interface Block {
  readonly start: PartStartEvent
  text: string
}

interface End {
  readonly reason: FinishReason
  readonly stop: string | undefined
}

type Body = Readonly<Record<string, unknown>>

/** Renders the events of a chat in Anthropic's form: as a stream, or collected into one message. */
export class MessageWriter {
  readonly #id = `msg_${crypto.randomUUID().replaceAll("-", "")}`
  readonly #model: string
  readonly #blocks: Block[] = []
  #promptTokens = 0
  #end: End | undefined
  #usage: Usage | undefined

  /** `model`: as the client named it. */
  constructor(model: string) {
    this.#model = model
  }

  /** The server-sent events of an event; empty for those without any. */
  render(event: GenerationEvent): string {
    switch (event.type) {
      case "prompt":
        this.#promptTokens = event.tokens
        return this.#event("message_start", { message: this.#message([], null, this.#openUsage()) })
      case "part-start":
        this.#blocks.push({ start: event, text: "" })
        return this.#event("content_block_start", {
          index: this.#blocks.length - 1,
          content_block: emptyBlock(event),
        })
      case "delta":
        return this.#delta(event.part, event.text)
      case "part-end":
        return this.#endBlock(event.part)
      case "finish":
        this.#end = { reason: event.reason, stop: event.stop }
        return ""
      case "done":
        this.#usage = event.usage
        return (
          this.#event("message_delta", {
            delta: { stop_reason: this.#stopReason(), stop_sequence: this.#end?.stop ?? null },
            usage: toUsage(event.usage),
          }) + this.#event("message_stop", {})
        )
      case "loading":
      case "queued":
      case "progress":
        return ""
      default:
        return event satisfies never
    }
  }

  #delta(part: PartKind, text: string): string {
    const block = this.#blocks.at(-1)
    if (text === "" || block === undefined) return ""
    block.text += text
    return this.#event("content_block_delta", { index: this.#blocks.length - 1, delta: toDelta(part, text) })
  }

  #endBlock(part: PartKind): string {
    const index = this.#blocks.length - 1
    const signature =
      part === "reasoning"
        ? this.#event("content_block_delta", {
            index,
            delta: { type: "signature_delta", signature: signatureOf(this.#blocks[index]?.text ?? "") },
          })
        : ""
    return signature + this.#event("content_block_stop", { index })
  }

  /** The whole message, once all events were rendered. @throws InternalError if some are missing */
  whole(): Body {
    if (this.#usage === undefined) throw new InternalError("the answer broke off before its end")
    return this.#message(this.#blocks.map(toBlock), this.#stopReason(), toUsage(this.#usage))
  }

  #message(content: readonly Body[], stopReason: string | null, usage: Body): Body {
    return {
      id: this.#id,
      type: "message",
      role: "assistant",
      model: this.#model,
      content,
      stop_reason: stopReason,
      stop_sequence: stopReason === null ? null : (this.#end?.stop ?? null),
      usage,
    }
  }

  /** How much of the prompt is cached is known at the end. */
  #openUsage(): Body {
    return {
      input_tokens: this.#promptTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: 0,
    }
  }

  #stopReason(): string {
    const { reason, stop } = this.#end ?? { reason: "stop" }
    if (reason === "tool_calls") return "tool_use"
    if (reason === "length") return "max_tokens"
    return stop === undefined ? "end_turn" : "stop_sequence"
  }

  #event(type: string, body: Body): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`
  }
}

function emptyBlock(start: PartStartEvent): Body {
  switch (start.part) {
    case "text":
      return { type: "text", text: "" }
    case "reasoning":
      return { type: "thinking", thinking: "", signature: "" }
    case "tool-call":
      return { type: "tool_use", id: start.id, name: start.name, input: {} }
    default:
      return start satisfies never
  }
}

function toBlock({ start, text }: Block): Body {
  switch (start.part) {
    case "text":
      return { type: "text", text }
    case "reasoning":
      return { type: "thinking", thinking: text, signature: signatureOf(text) }
    case "tool-call":
      return { type: "tool_use", id: start.id, name: start.name, input: parsed(text) }
    default:
      return start satisfies never
  }
}

function toDelta(part: PartKind, text: string): Body {
  switch (part) {
    case "text":
      return { type: "text_delta", text }
    case "reasoning":
      return { type: "thinking_delta", thinking: text }
    case "tool-call":
      return { type: "input_json_delta", partial_json: text }
    default:
      return part satisfies never
  }
}

/** Clients keep it with the thinking and send both back. Nothing here checks it: a digest is enough. */
function signatureOf(thinking: string): string {
  return Bun.SHA256.hash(thinking, "base64")
}

/** A call that was cut off has arguments that are no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text === "" ? "{}" : text)
  } catch {
    return {}
  }
}

/** Cached tokens are not among the input tokens in this API. */
function toUsage({ promptTokens, completionTokens, cachedTokens }: Usage): Body {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  }
}
