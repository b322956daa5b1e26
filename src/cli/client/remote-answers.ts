import type { FinishReason } from "../../domain/chat"
import { Unsupported } from "../../errors/request"
import type { InstructionBody } from "../../formats/modelfile/parse"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt } from "../../lib/json"
import type { Store } from "../../store/contract"
import { parameterName } from "../args/parameters"
import { type ModelTexts, textsFrom } from "../show/model-texts"
import type { ModelFacts } from "../show/show-text"
import type { AnswerEvent, AnswerSource, ChatTurn } from "./answers"
import type { ServerClient } from "./server-client"
import { findOnServer } from "./source"

/** Answers from a running server. */
export class RemoteAnswers implements AnswerSource {
  readonly isRemote = true
  readonly #client: ServerClient

  readonly #openStore: () => Promise<Store>

  /** @param openStore opens this machine's models */
  constructor(client: ServerClient, openStore: () => Promise<Store>) {
    this.#client = client
    this.#openStore = openStore
  }

  find(model: string): Promise<string> {
    return findOnServer(model, this.#client)
  }

  load(model: string, _onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
    return this.#client.load(model, signal)
  }

  async *answer(turn: ChatTurn, signal: AbortSignal): AsyncGenerator<AnswerEvent> {
    for await (const chunk of this.#client.chat(toBody(turn), signal)) yield* toEvents(chunk)
  }

  models(): Promise<readonly string[]> {
    return this.#client.models()
  }

  async contextLength(model: string): Promise<number | undefined> {
    return numberAt(await this.#client.model(model), "n_ctx")
  }

  async facts(model: string): Promise<ModelFacts> {
    const meta = await this.#client.model(model)
    const capabilities: unknown = meta["capabilities"]
    return {
      kind: "text",
      architecture: textAt(meta, "architecture") ?? "?",
      parameterCount: numberAt(meta, "n_params") ?? 0,
      contextLength: numberAt(meta, "n_ctx_train") ?? 0,
      embeddingLength: numberAt(meta, "n_embd") ?? 0,
      quantization: textAt(meta, "quantization") ?? "?",
      capabilities: Array.isArray(capabilities) ? capabilities.map(String) : [],
    }
  }

  async texts(model: string): Promise<ModelTexts> {
    return textsFrom(await this.#client.model(model), model)
  }

  /** Saves into this machine's models folder, which is usually also the server's. */
  async save(base: string, name: string, instructions: readonly InstructionBody[]): Promise<string> {
    const { saveModel } = await import("../models/save-model")
    return await saveModel({ store: await this.#openStore(), base, name, instructions })
  }

  setContextLength(tokens: number): Promise<void> {
    return Promise.reject(
      new Unsupported(
        `the server at ${this.#client.name} sets the context size of its models: start it with --ctx ${tokens}, ` +
          "or /save NAME now and talk to that model",
      ),
    )
  }

  async close(): Promise<void> {}
}

/** Converts the turn to a chat completion request. */
function toBody({ model, messages, options }: ChatTurn): JsonRecord {
  const sampling = Object.entries(options.sampling).map(([key, value]) => [parameterName(key), value])
  return {
    model,
    messages: messages.map(({ role, content }) => ({ role, content })),
    ...Object.fromEntries(sampling),
    ...(options.maxTokens !== undefined && {
      max_tokens: Number.isFinite(options.maxTokens) ? options.maxTokens : -1,
    }),
    ...(options.minTokens > 0 && { min_tokens: options.minTokens }),
    ...(options.stop.length > 0 && { stop: options.stop }),
    ...(options.keepAliveSeconds !== undefined && { keep_alive: options.keepAliveSeconds ?? -1 }),
    stream_options: { include_usage: true },
  }
}

function* toEvents(chunk: JsonRecord): Generator<AnswerEvent> {
  const [choice] = recordsAt(chunk, "choices")
  const text = textAt(recordAt(choice, "delta"), "content")
  if (text !== undefined && text !== "") yield { type: "text", text }
  const reason = textAt(choice, "finish_reason")
  if (reason !== undefined) yield { type: "finish", reason: toFinishReason(reason) }
  const usage = recordAt(chunk, "usage")
  if (usage !== undefined) yield toDone(usage, recordAt(chunk, "timings"))
}

function toFinishReason(reason: string): FinishReason {
  return reason === "length" || reason === "tool_calls" ? reason : "stop"
}

function toDone(usage: JsonRecord, timings: JsonRecord | undefined): AnswerEvent {
  const number = (key: string) => numberAt(timings, key) ?? 0
  return {
    type: "done",
    usage: {
      promptTokens: numberAt(usage, "prompt_tokens") ?? 0,
      completionTokens: numberAt(usage, "completion_tokens") ?? 0,
      cachedTokens: numberAt(recordAt(usage, "prompt_tokens_details"), "cached_tokens") ?? 0,
    },
    timings: {
      queueMs: number("queue_ms"),
      loadMs: number("load_ms"),
      promptTokens: number("prompt_n"),
      promptMs: number("prompt_ms"),
      generatedTokens: number("predicted_n"),
      generationMs: number("predicted_ms"),
    },
  }
}
