import type { TranscriptionRequest } from "../../../domain/media/transcription"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { COUNTS, TEXTS } from "../../../limits"
import { refuseUnsupported } from "../../read/field-table"
import { defined, Fields, invalidField } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import type { JsonObject } from "../../read/body/json-body"
import { TRANSCRIPT_FORMATS, type TranscriptFormat } from "../../read/media-options"
import type { FormTypes } from "../../read/body/multipart"
import { readModelOptions } from "../../read/options"
import type { TimestampGranularities } from "../../render/verbose-transcript"
import { TRANSCRIPTION_FIELDS } from "./audio-fields"

const TEMPERATURE = { min: 0, max: 1 }

const GRANULARITIES = ["word", "segment"]

/** The types of the form's fields. */
export const TRANSCRIPTION_FORM: FormTypes = {
  numbers: ["temperature", "keep_alive", "ttl"],
  booleans: ["stream"],
  lists: ["timestamp_granularities", "include", "known_speaker_names", "known_speaker_references"],
}

export interface TranscriptionCall {
  readonly request: TranscriptionRequest
  readonly format: TranscriptFormat
  readonly stream: boolean
  /** Which timestamps `verbose_json` contains. */
  readonly granularities: TimestampGranularities
}

export interface TranscriptionInput {
  readonly body: JsonObject
  readonly audioPath: string
  readonly task: TranscriptionRequest["task"]
  readonly headers?: HeaderOptions
}

/** @throws InvalidRequest, Unsupported */
export function toTranscriptionCall({
  body,
  audioPath,
  task,
  headers = {},
}: TranscriptionInput): TranscriptionCall {
  const fields = new Fields(body)
  refuseUnsupported(fields, TRANSCRIPTION_FIELDS)
  const format = readFormat(fields)
  const stream = fields.boolean("stream") ?? false
  if (stream && (format === "srt" || format === "vtt")) {
    throw new InvalidRequest(`stream must come with another response_format than ${format}`, "stream")
  }
  const granularities = readGranularities(fields)
  const request: TranscriptionRequest = {
    kind: "transcription",
    ...headers,
    ...readModelOptions(fields),
    audioPath,
    task,
    wordTimes: format === "verbose_json" && granularities.words,
    ...defined({
      language: fields.text("language", TEXTS.word),
      prompt: fields.text("prompt", TEXTS.transcriptionPrompt),
      temperature: fields.number("temperature", TEMPERATURE),
    }),
  }
  return { request, format, stream, granularities }
}

function readFormat(fields: Fields): TranscriptFormat {
  if (fields.unchecked("response_format") === "diarized_json") {
    throw new Unsupported(
      "response_format diarized_json is not supported: speakers are not distinguished",
      "response_format",
    )
  }
  return fields.choice("response_format", TRANSCRIPT_FORMATS) ?? "json"
}

/** As in OpenAI's API, segments are included unless only words are requested. */
function readGranularities(fields: Fields): TimestampGranularities {
  const given = fields.list("timestamp_granularities", COUNTS.words) ?? []
  for (const one of given) {
    if (typeof one === "string" && GRANULARITIES.includes(one)) continue
    throw invalidField("timestamp_granularities", `some of ${GRANULARITIES.join(", ")}`, one)
  }
  return { words: given.includes("word"), segments: given.length === 0 || given.includes("segment") }
}
