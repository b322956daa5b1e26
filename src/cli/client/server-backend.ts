import { basename } from "node:path"
import type { ChatRequest } from "../../domain/chat"
import type { EmbeddingEvent, EmbeddingRequest } from "../../domain/embedding"
import type { ImageEvent, ImageRequest } from "../../domain/media/image"
import type { ModelFacts, ModelSummary } from "../../domain/model"
import type { WaitingEvent } from "../../domain/request"
import type { SpeechRequest } from "../../domain/media/speech"
import type { TranscriptionRequest } from "../../domain/media/transcription"
import type { AnswerEvent, ModelBackend, SpokenEvent, TranscribedEvent } from "../../engine/contract"
import { type JsonRecord, numberAt } from "../../lib/json"
import { toChatBody, toEmbeddingBody, toImageBody, toSpeechBody, toTranscriptionBody } from "./server-bodies"
import type { ServerClient } from "./server-client"
import {
  toAnswerEvents,
  toImageEvent,
  toSpokenEvent,
  toTranscribedEvent,
  toWaitingEvent,
} from "./server-events"
import { toModelFacts } from "./server-facts"

/** The interval between two looks at how far a load is, in milliseconds. */
const PROGRESS_MS = 250

/** The models of a running server. */
export class ServerBackend implements ModelBackend {
  readonly #client: ServerClient

  constructor(client: ServerClient) {
    this.#client = client
  }

  async *chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<AnswerEvent> {
    const body = { ...toChatBody(request), stream: true, stream_options: { include_usage: true } }
    for await (const event of this.#client.events("/v1/chat/completions", body, signal)) {
      if (event.type === "done") return
      if (event.type === "data") yield* toAnswerEvents(event.data)
      else yield* listOf(toWaitingEvent(event.text))
    }
    throw this.#client.endedEarly()
  }

  async *embed(request: EmbeddingRequest, signal: AbortSignal): AsyncGenerator<EmbeddingEvent> {
    const startedAt = performance.now()
    const { vectors, tokens } = await this.#client.embed(toEmbeddingBody(request), signal)
    yield* vectors.map((values, index) => ({
      type: "vectors" as const,
      indices: Int32Array.of(index),
      values,
    }))
    const usage = { inputTokens: tokens, inputs: vectors.length }
    yield { type: "done", usage, timings: { queueMs: 0, loadMs: 0, workMs: performance.now() - startedAt } }
  }

  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpokenEvent> {
    const body = { ...toSpeechBody(request), stream_format: "sse" }
    return this.#events("/v1/audio/speech", body, signal, toSpokenEvent)
  }

  transcribe(request: TranscriptionRequest, signal: AbortSignal): AsyncIterable<TranscribedEvent> {
    const form = toForm({ ...toTranscriptionBody(request), stream: true })
    attach(form, "file", request.audioPath)
    const path = request.task === "translate" ? "/v1/audio/translations" : "/v1/audio/transcriptions"
    return this.#events(path, form, signal, toTranscribedEvent, (note) =>
      note === "listening" ? { type: "audio" } : undefined,
    )
  }

  generateImage(request: ImageRequest, signal: AbortSignal): AsyncIterable<ImageEvent> {
    const { source } = request
    const body = { ...toImageBody(request), stream: true }
    if (source === undefined) return this.#events("/v1/images/generations", body, signal, toImageEvent)
    const form = toForm({ ...body, strength: source.strength })
    attach(form, "image", source.imagePath)
    if (source.maskPath !== undefined) attach(form, "mask", source.maskPath)
    return this.#events("/v1/images/edits", form, signal, toImageEvent)
  }

  /** @throws WrongModelKind for a model that is not a text model: it is loaded by rendering a prompt */
  async preload(
    model: string,
    signal: AbortSignal,
    onProgress: (fraction: number) => void = () => {},
  ): Promise<void> {
    const over = new AbortController()
    void this.#watchLoad(model, AbortSignal.any([signal, over.signal]), onProgress)
    try {
      await this.#client.load(model, signal)
    } finally {
      over.abort()
    }
  }

  async stop(model: string): Promise<boolean> {
    return (await this.#client.stop(model)).stopped
  }

  async list(): Promise<readonly Pick<ModelSummary, "name" | "aliases">[]> {
    const aliases = new Map<string, string[]>()
    for (const { id, aliasOf } of await this.#client.models()) {
      const known = aliases.get(aliasOf ?? id) ?? []
      aliases.set(aliasOf ?? id, aliasOf === undefined ? known : [...known, id])
    }
    return [...aliases].map(([name, others]) => ({ name, aliases: others }))
  }

  async show(model: string): Promise<ModelFacts> {
    const { name, meta } = await this.#client.model(model)
    return toModelFacts(name, meta)
  }

  async contextLength(model: string): Promise<number | undefined> {
    return numberAt((await this.#client.model(model)).meta, "n_ctx")
  }

  async close(): Promise<void> {}

  /** Reports how far the load of a model is until `signal` aborts. A failure is left to the load's own request. */
  async #watchLoad(
    model: string,
    signal: AbortSignal,
    onProgress: (fraction: number) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      const loaded = await this.#client.ps(signal).catch(() => [])
      const loading = loaded.find(({ name, state }) => name === model && state === "loading")
      if (loading !== undefined && !signal.aborted) onProgress(loading.progress)
      await Bun.sleep(PROGRESS_MS)
    }
  }

  /**
   * @param toNote the event that a comment stands for, where it is not one of waiting
   * @throws UnexpectedServerResponse if the stream ends before its last event, and the server's errors
   */
  async *#events<E extends { readonly type: string }>(
    path: string,
    body: JsonRecord | FormData,
    signal: AbortSignal,
    toEvent: (data: JsonRecord) => E | undefined,
    toNote: (comment: string) => E | undefined = () => undefined,
  ): AsyncGenerator<E | WaitingEvent> {
    for await (const streamed of this.#client.events(path, body, signal)) {
      if (streamed.type === "done") continue
      const event =
        streamed.type === "data"
          ? toEvent(streamed.data)
          : (toWaitingEvent(streamed.text) ?? toNote(streamed.text))
      if (event === undefined) continue
      yield event
      if (event.type === "done") return
    }
    throw this.#client.endedEarly()
  }
}

function listOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value]
}

function toForm(record: JsonRecord): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(record)) form.append(name, String(value))
  return form
}

/** The file is read while it is sent. */
function attach(form: FormData, name: string, path: string): void {
  form.append(name, Bun.file(path), basename(path))
}
