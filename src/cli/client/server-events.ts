import type { FinishReason } from "../../domain/chat"
import type { ImageEvent } from "../../domain/media/image"
import type { MediaTimings, WaitingEvent } from "../../domain/request"
import type { AnswerEvent, SpokenEvent, TranscribedEvent } from "../../engine/contract"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt, textsAt } from "../../lib/json"

/** Converts the comments that a server sends to waiting clients. */
export function toWaitingEvent(comment: string): WaitingEvent | undefined {
  const [, percent] = /^loading (\d+)%$/.exec(comment) ?? []
  if (percent !== undefined) return { type: "loading", fraction: Number(percent) / 100 }
  const [, ahead] = /^queued, (\d+) ahead$/.exec(comment) ?? []
  return ahead === undefined ? undefined : { type: "queued", position: Number(ahead) }
}

/** The events in a chunk of a chat completion. */
export function* toAnswerEvents(chunk: JsonRecord): Generator<AnswerEvent> {
  const [choice] = recordsAt(chunk, "choices")
  const delta = recordAt(choice, "delta")
  if (textAt(delta, "role") !== undefined) yield toPromptEvent(chunk)
  // Which of the two a server has is a setting of it.
  const reasoning = textAt(delta, "reasoning_content") ?? textAt(delta, "reasoning")
  if (reasoning !== undefined) yield { type: "delta", part: "reasoning", text: reasoning }
  const text = textAt(delta, "content")
  if (text !== undefined && text !== "") yield { type: "delta", part: "text", text }
  const reason = textAt(choice, "finish_reason")
  if (reason !== undefined) yield { type: "finish", reason: toFinishReason(reason) }
  const usage = recordAt(chunk, "usage")
  if (usage !== undefined) yield toDone(usage, recordAt(chunk, "timings"))
}

/** The first chunk has no text. */
function toPromptEvent({ warnings }: JsonRecord): AnswerEvent {
  return { type: "prompt", ...(Array.isArray(warnings) && { warnings: warnings.map(String) }) }
}

function toFinishReason(reason: string): FinishReason {
  return reason === "length" || reason === "tool_calls" ? reason : "stop"
}

function toDone(usage: JsonRecord, timings: JsonRecord | undefined): AnswerEvent {
  const number = (key: string) => numberAt(timings, key) ?? 0
  const draftTokens = number("draft_n")
  const reasoningTokens = numberAt(recordAt(usage, "completion_tokens_details"), "reasoning_tokens")
  return {
    type: "done",
    usage: {
      promptTokens: numberAt(usage, "prompt_tokens") ?? 0,
      completionTokens: numberAt(usage, "completion_tokens") ?? 0,
      cachedTokens: numberAt(recordAt(usage, "prompt_tokens_details"), "cached_tokens") ?? 0,
      ...(reasoningTokens !== undefined && { reasoningTokens }),
    },
    timings: {
      queueMs: number("queue_ms"),
      loadMs: number("load_ms"),
      promptTokens: number("prompt_n"),
      promptMs: number("prompt_ms"),
      generatedTokens: number("predicted_n"),
      generationMs: number("predicted_ms"),
      ...(draftTokens > 0 && { drafts: { tokens: draftTokens, accepted: number("draft_n_accepted") } }),
    },
  }
}

export function toSpokenEvent(data: JsonRecord): SpokenEvent | undefined {
  if (textAt(data, "type") === "speech.audio.delta") {
    return { type: "audio", bytes: Uint8Array.fromBase64(textAt(data, "audio") ?? "") }
  }
  if (textAt(data, "type") !== "speech.audio.done") return undefined
  const [usage, warnings] = [recordAt(data, "usage"), textsAt(data, "warnings")]
  return {
    type: "done",
    ...(warnings.length > 0 && { warnings }),
    usage: {
      characters: numberAt(usage, "characters") ?? 0,
      sentences: numberAt(usage, "sentences") ?? 0,
      audioSeconds: numberAt(usage, "seconds") ?? 0,
    },
    timings: toTimings(data),
  }
}

export function toTranscribedEvent(data: JsonRecord): TranscribedEvent | undefined {
  if (textAt(data, "type") === "transcript.text.segment") {
    const words = recordsAt(data, "words").map((word) => ({
      word: textAt(word, "word") ?? "",
      ...times(word),
    }))
    const seek = numberAt(data, "seek")
    const segment = {
      index: Number(textAt(data, "id")),
      ...(seek !== undefined && { seek }),
      text: textAt(data, "text") ?? "",
      ...times(data),
      ...(words.length > 0 && { words }),
    }
    return { type: "segment", segment }
  }
  if (textAt(data, "type") !== "transcript.text.done") return undefined
  const warnings = textsAt(data, "warnings")
  return {
    type: "done",
    language: textAt(data, "language"),
    ...(warnings.length > 0 && { warnings }),
    usage: { audioSeconds: numberAt(recordAt(data, "usage"), "seconds") ?? 0 },
    timings: toTimings(data),
  }
}

function times(record: JsonRecord): { readonly start: number; readonly end: number } {
  return { start: numberAt(record, "start") ?? 0, end: numberAt(record, "end") ?? 0 }
}

export function toImageEvent(data: JsonRecord): ImageEvent | undefined {
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
