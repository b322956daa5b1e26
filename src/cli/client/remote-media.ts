import { basename } from "node:path"
import type { ImageEvent, ImageRequest } from "../../domain/image"
import type { MediaTimings, WaitingEvent } from "../../domain/request"
import type { SpeechRequest } from "../../domain/speech"
import type { TranscriptionEvent, TranscriptionRequest } from "../../domain/transcription"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt } from "../../lib/json"
import type { MediaSource, SpokenEvent } from "./media-source"
import type { ServerClient, StreamedEvent } from "./server-client"
import { findOnServer } from "./source"

/** Speech, transcription and images from a running server. */
export class RemoteMedia implements MediaSource {
  readonly #client: ServerClient

  constructor(client: ServerClient) {
    this.#client = client
  }

  find(model: string): Promise<string> {
    return findOnServer(model, this.#client)
  }

  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpokenEvent> {
    const { model, input, voice, format, speed, sampleRate, rawText } = request
    const body = withoutGaps({
      model,
      input,
      voice,
      speed,
      response_format: format,
      sample_rate: sampleRate,
      raw_text: rawText,
      stream_format: "sse",
    })
    return this.#events("/v1/audio/speech", body, signal, toSpokenEvent)
  }

  transcribe(request: TranscriptionRequest, signal: AbortSignal): AsyncIterable<TranscriptionEvent> {
    const { task, model, audioPath, language, prompt, temperature, wordTimes } = request
    const form = toForm({
      model,
      language,
      prompt,
      temperature,
      response_format: "verbose_json",
      stream: true,
      ...(wordTimes && { "timestamp_granularities[]": "word" }),
    })
    attach(form, "file", audioPath)
    const path = task === "translate" ? "/v1/audio/translations" : "/v1/audio/transcriptions"
    return this.#events(path, form, signal, toTranscriptionEvent)
  }

  draw(request: ImageRequest, signal: AbortSignal): AsyncIterable<ImageEvent> {
    const { source } = request
    if (source === undefined)
      return this.#events("/v1/images/generations", toImageBody(request), signal, toImageEvent)
    const form = toForm({ ...toImageBody(request), strength: source.strength })
    attach(form, "image", source.imagePath)
    return this.#events("/v1/images/edits", form, signal, toImageEvent)
  }

  async close(): Promise<void> {}

  /** @throws UnexpectedServerResponse if the stream ends before its last event, and the server's errors */
  async *#events<E extends { readonly type: string }>(
    path: string,
    body: JsonRecord | FormData,
    signal: AbortSignal,
    toEvent: (data: JsonRecord) => E | undefined,
  ): AsyncGenerator<E | WaitingEvent> {
    for await (const streamed of this.#client.events(path, body, signal)) {
      const event = streamed.type === "data" ? toEvent(streamed.data) : toWaitingEvent(streamed)
      if (event === undefined) continue
      yield event
      if (event.type === "done") return
    }
    throw this.#client.endedEarly()
  }
}

function toImageBody(request: ImageRequest): JsonRecord {
  const { width, height } = request
  return withoutGaps({
    model: request.model,
    prompt: request.prompt,
    negative_prompt: request.negativePrompt,
    n: request.n,
    size: width === undefined || height === undefined ? undefined : `${width}x${height}`,
    steps: request.steps,
    cfg_scale: request.cfgScale,
    seed: request.seed,
    sampler: request.sampler,
    scheduler: request.scheduler,
    output_format: request.format,
    output_compression: request.compression,
    response_format: "b64_json",
    stream: true,
  })
}

function withoutGaps(record: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

function toForm(record: JsonRecord): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(withoutGaps(record))) form.append(name, String(value))
  return form
}

/** The file is read while it is sent. */
function attach(form: FormData, name: string, path: string): void {
  form.append(name, Bun.file(path), basename(path))
}

/** Converts the comments that a server sends to waiting clients. */
function toWaitingEvent(streamed: StreamedEvent): WaitingEvent | undefined {
  if (streamed.type !== "comment") return undefined
  const [, percent] = /^loading (\d+)%$/.exec(streamed.text) ?? []
  if (percent !== undefined) return { type: "loading", fraction: Number(percent) / 100 }
  const [, ahead] = /^queued, (\d+) ahead$/.exec(streamed.text) ?? []
  return ahead === undefined ? undefined : { type: "queued", position: Number(ahead) }
}

function toSpokenEvent(data: JsonRecord): SpokenEvent | undefined {
  if (textAt(data, "type") === "speech.audio.delta") {
    return { type: "audio", bytes: Uint8Array.fromBase64(textAt(data, "audio") ?? "") }
  }
  if (textAt(data, "type") !== "speech.audio.done") return undefined
  const usage = recordAt(data, "usage")
  return {
    type: "done",
    usage: {
      characters: numberAt(usage, "characters") ?? 0,
      sentences: numberAt(usage, "sentences") ?? 0,
      audioSeconds: numberAt(usage, "seconds") ?? 0,
    },
    timings: toTimings(data),
  }
}

function toTranscriptionEvent(data: JsonRecord): TranscriptionEvent | undefined {
  if (textAt(data, "type") === "transcript.text.segment") {
    const words = recordsAt(data, "words").map((word) => ({
      word: textAt(word, "word") ?? "",
      ...times(word),
    }))
    const segment = {
      index: Number(textAt(data, "id")),
      text: textAt(data, "text") ?? "",
      ...times(data),
      ...(words.length > 0 && { words }),
    }
    return { type: "segment", segment }
  }
  if (textAt(data, "type") !== "transcript.text.done") return undefined
  return {
    type: "done",
    language: textAt(data, "language"),
    usage: { audioSeconds: numberAt(recordAt(data, "usage"), "seconds") ?? 0 },
    timings: toTimings(data),
  }
}

function times(record: JsonRecord): { readonly start: number; readonly end: number } {
  return { start: numberAt(record, "start") ?? 0, end: numberAt(record, "end") ?? 0 }
}

function toImageEvent(data: JsonRecord): ImageEvent | undefined {
  const number = (key: string) => numberAt(data, key) ?? 0
  switch (textAt(data, "type")?.replace(/^.*\./, "")) {
    case "progress":
      return { type: "step", image: number("image"), step: number("step"), steps: number("steps") }
    case "completed": {
      const [width = 0, height = 0] = (textAt(data, "size") ?? "").split("x").map(Number)
      const bytes = Uint8Array.fromBase64(textAt(data, "b64_json") ?? "")
      return { type: "image", image: number("image"), seed: number("seed"), bytes, width, height }
    }
    case "done": {
      const usage = recordAt(data, "usage")
      return {
        type: "done",
        usage: { images: numberAt(usage, "images") ?? 0, steps: numberAt(usage, "steps") ?? 0 },
        timings: toTimings(data),
      }
    }
    default:
      return undefined
  }
}

function toTimings(data: JsonRecord): MediaTimings {
  const timings = recordAt(data, "timings")
  const number = (key: string) => numberAt(timings, key) ?? 0
  return { queueMs: number("queue_ms"), loadMs: number("load_ms"), workMs: number("work_ms") }
}
