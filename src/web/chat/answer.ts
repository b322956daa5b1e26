import { type Signal, signal } from "@preact/signals"
import { ApiError, connectionLost } from "../api/api-error"
import { streamEvents } from "../api/client"
import type { AnswerFacts, Message } from "../conversations/types"
import { MarkdownBlocks } from "../markdown/blocks"
import type { ChatChunk } from "./chunk"

/** What a request waits for, or does. */
export type AnswerPhase =
  | { readonly name: "sent" }
  | { readonly name: "loading"; readonly percent: number }
  | { readonly name: "queued"; readonly ahead: number }
  | { readonly name: "prompt"; readonly done: number; readonly total: number }
  | { readonly name: "thinking" }
  | { readonly name: "writing" }

/** The pause after a drawing is so many times what it took: a slow one leaves time for the user. */
const PAUSE = 4

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** An answer while it comes. Its text is collected as it arrives, and drawn at most once per frame. */
export class RunningAnswer {
  readonly phase: Signal<AnswerPhase> = signal({ name: "sent" })
  /** Another number after each drawing. */
  readonly drawn = signal(0)
  readonly text = new MarkdownBlocks()
  readonly thinking = new MarkdownBlocks()
  /** When thinking began and ended. */
  readonly thought: { from?: number; to?: number } = {}
  readonly #client = new AbortController()
  readonly #calls: { id: string; name: string; arguments: string }[] = []
  readonly #logprobs: NonNullable<AnswerFacts["logprobs"]>[number][] = []
  readonly #facts: Writable<AnswerFacts>
  readonly #startedAt = performance.now()
  #whole = ""
  #wholeThought = ""
  #undrawn = ""
  #undrawnThought = ""
  #frame: number | undefined
  #restUntil = 0
  #isStopped = false
  #isDone = false

  /** `beginning`: the text that the answer continues. */
  constructor(
    readonly message: Message,
    readonly onText: (text: string) => void = () => {},
    beginning = "",
  ) {
    this.#facts = { model: message.answer?.model ?? "" }
    this.#whole = beginning
    this.#undrawn = beginning
    if (beginning !== "") this.#draw()
  }

  stop(): void {
    this.#isStopped = true
    this.#client.abort()
  }

  /** The message as far as it has come. */
  get soFar(): Message {
    const { from, to } = this.thought
    const facts: AnswerFacts = {
      ...this.#facts,
      ...(this.#wholeThought !== "" && { thinking: this.#wholeThought }),
      ...(from !== undefined && { thinkingMs: (to ?? performance.now()) - from }),
      ...(this.#calls.length > 0 && { toolCalls: this.#calls.map((call) => ({ ...call })) }),
      ...(this.#logprobs.length > 0 && { logprobs: [...this.#logprobs] }),
    }
    return { ...this.message, text: this.#whole, answer: facts }
  }

  /** Runs the request to its end, whatever that is. */
  async run(body: object): Promise<Message> {
    try {
      const options = { method: "POST", body, signal: this.#client.signal } as const
      for await (const event of streamEvents("/v1/chat/completions", options)) {
        if (event.type === "comment") this.#wait(event.data)
        else if (event.data === "[DONE]") this.#isDone = true
        else this.#take(JSON.parse(event.data) as ChatChunk | ErrorChunk)
      }
      if (!this.#isDone) throw connectionLost()
    } catch (error) {
      if (this.#isStopped) this.#facts.end = "stopped"
      else {
        const known = error instanceof ApiError ? error : new ApiError("unexpected", 0, String(error))
        this.#facts.end = "failed"
        this.#facts.error = { code: known.code, message: known.message }
      }
    }
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame)
    this.#endThought()
    return this.soFar
  }

  #wait(note: string): void {
    const loading = /^loading (\d+)%/.exec(note)
    const queued = /^queued, (\d+) ahead/.exec(note)
    if (loading !== null) this.phase.value = { name: "loading", percent: Number(loading[1]) }
    else if (queued !== null) this.phase.value = { name: "queued", ahead: Number(queued[1]) }
  }

  #take(chunk: ChatChunk | ErrorChunk): void {
    if ("error" in chunk) throw new ApiError(chunk.error.code ?? "unknown", 0, chunk.error.message)
    const { usage, timings, warnings, prompt_progress: progress } = chunk
    if (usage != null) this.#facts.usage = usage
    if (timings !== undefined) this.#facts.timings = timings
    if (warnings !== undefined) this.#facts.warnings = warnings
    if (progress !== undefined) {
      this.phase.value = { name: "prompt", done: progress.processed, total: progress.total }
    }
    const choice = chunk.choices[0]
    if (choice === undefined) return
    const { delta, logprobs, finish_reason: end } = choice
    if (logprobs?.content !== undefined) this.#logprobs.push(...logprobs.content)
    const thought = delta.reasoning_content ?? delta.reasoning
    if (thought !== undefined && thought !== "") this.#addThought(thought)
    if (delta.content != null && delta.content !== "") this.#addText(delta.content)
    for (const call of delta.tool_calls ?? []) this.#addCall(call)
    if (end !== null) this.#facts.end = end
  }

  #addText(text: string): void {
    this.#facts.firstTokenMs ??= performance.now() - this.#startedAt
    this.#endThought()
    this.#setPhase("writing")
    this.#whole += text
    this.#undrawn += text
    this.onText(text)
    this.#drawSoon()
  }

  #addThought(text: string): void {
    this.#facts.firstTokenMs ??= performance.now() - this.#startedAt
    this.thought.from ??= performance.now()
    this.#setPhase("thinking")
    this.#wholeThought += text
    this.#undrawnThought += text
    this.#drawSoon()
  }

  #endThought(): void {
    if (this.thought.from !== undefined) this.thought.to ??= performance.now()
  }

  #addCall({ index, id, function: part }: ToolCallDelta): void {
    this.#facts.firstTokenMs ??= performance.now() - this.#startedAt
    this.#endThought()
    this.#setPhase("writing")
    const call = (this.#calls[index] ??= { id: id ?? "", name: part.name ?? "", arguments: "" })
    call.arguments += part.arguments ?? ""
    this.#drawSoon()
  }

  #setPhase(name: "thinking" | "writing"): void {
    if (this.phase.peek().name !== name) this.phase.value = { name }
  }

  #drawSoon(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined
      if (performance.now() < this.#restUntil) this.#drawSoon()
      else this.#draw()
    })
  }

  #draw(): void {
    const started = performance.now()
    if (this.#undrawn !== "") this.text.append(this.#undrawn)
    if (this.#undrawnThought !== "") this.thinking.append(this.#undrawnThought)
    this.#undrawn = ""
    this.#undrawnThought = ""
    this.drawn.value++
    // The elements are made in a microtask that was queued before this one.
    queueMicrotask(() => {
      const ended = performance.now()
      this.#restUntil = ended + (ended - started) * PAUSE
    })
  }
}

type ToolCallDelta = NonNullable<ChatChunk["choices"][number]["delta"]["tool_calls"]>[number]

/** An error after the answer began. */
interface ErrorChunk {
  readonly error: { readonly message: string; readonly code?: string }
}
