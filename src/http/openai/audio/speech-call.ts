import type { AudioFormat, SpeechRequest } from "../../../domain/media/speech"
import { InvalidRequest } from "../../../errors/request"
import { NUMBERS, TEXTS } from "../../../limits"
import { refuseUnsupported } from "../../read/field-table"
import { checkInteger, checkText, defined, Fields, invalidField, readCharacters } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"
import { AUDIO_FORMATS, sampleRateFor, SPEECH_SAMPLE_RATE, SPEECH_SPEED } from "../../read/media-options"
import { readModelOptions } from "../../read/options"
import { SPEECH_FIELDS } from "./audio-fields"

const DEFAULT_FORMAT: AudioFormat = "mp3"

/** OpenAI's `stream_format`: the bytes of a file, or events that carry them. */
const STREAM_FORMATS = ["audio", "sse"] as const

export interface SpeechCall {
  readonly request: SpeechRequest
  readonly streamFormat: (typeof STREAM_FORMATS)[number]
}

/** @throws InvalidRequest, Unsupported */
export function toSpeechCall(body: JsonObject, headers: HeaderOptions = {}): SpeechCall {
  const fields = new Fields(body)
  refuseUnsupported(fields, SPEECH_FIELDS)
  fields.text("instructions", TEXTS.instructions)
  const format = fields.choice("response_format", AUDIO_FORMATS) ?? DEFAULT_FORMAT
  const request: SpeechRequest = {
    kind: "speech",
    ...headers,
    ...readModelOptions(fields),
    input: readInput(fields),
    format,
    speed: fields.number("speed", SPEECH_SPEED) ?? 1,
    ...defined({
      voice: readVoice(fields.unchecked("voice")),
      sampleRate: sampleRateFor(format, fields.integer("sample_rate", SPEECH_SAMPLE_RATE)),
      rawText: fields.boolean("raw_text"),
    }),
  }
  return { request, streamFormat: fields.choice("stream_format", STREAM_FORMATS) ?? "audio" }
}

function readInput(fields: Fields): string {
  const input = readCharacters(fields, "input", TEXTS.speech)
  if (input === undefined) throw new InvalidRequest("input is required", "input")
  if (input.trim() === "") throw new InvalidRequest("input must not be blank", "input")
  return input
}

/** A name, a speaker's number, or OpenAI's object with a voice id. */
function readVoice(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === "number" && Number.isInteger(value))
    return String(checkInteger("voice", value, NUMBERS.speaker))
  const named = isJsonObject(value) ? value["id"] : value
  if (typeof named !== "string" || named === "") {
    throw invalidField("voice", "a speaker's name or number", value)
  }
  return checkText("voice", named, TEXTS.name)
}
