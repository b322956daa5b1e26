import type { CompletionRequest } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { type FieldTable, refusedFrom, refusedUnlessEmpty, refuseUnsupported } from "../read/field-table"
import { checkText, defined, Fields } from "../read/fields"
import type { HeaderOptions } from "../read/headers"
import { isJsonObject, type JsonObject } from "../read/body/json-body"
import { type MediaSink, TEXT_ONLY } from "../read/media/media-sink"
import { readGenerationOptions, readReplyOptions, type ReplyOptions } from "../read/options"
import { checkProducts } from "../read/products"
import { readPrompts } from "../read/prompts"
import { LLAMA_LIMITS } from "../read/sampling"
import { MEDIA_MARK } from "./media-mark"

/** Fields of native completions that change the answer and have no counterpart here. Others are ignored. */
const UNSUPPORTED: FieldTable = {
  adaptive_target: refusedFrom(0),
  image_data: refusedUnlessEmpty(),
}

/** Which one it was is told. */
const ANY_SLOT = -1

/** A call of `/completion` or `/infill`: one request per prompt. */
export interface NativeCall {
  readonly requests: readonly CompletionRequest[]
  /** Did the client send a list of prompts? Then it expects a list of answers. */
  readonly isList: boolean
  readonly reply: ReplyOptions
  /** Paths into the answer, such as `timings/predicted_ms`: only these fields are sent. Empty: all. */
  readonly responseFields: readonly string[]
}

/** @throws InvalidRequest, Unsupported */
export function toNativeCall(
  body: JsonObject,
  headers: HeaderOptions = {},
  media: MediaSink = TEXT_ONLY,
): NativeCall {
  const fields = new Fields(withoutEmptyStops(body))
  refuseUnsupported(fields, UNSUPPORTED)
  const given = fields.unchecked("prompt")
  const isSeveral = Array.isArray(given)
  const prompt = isSeveral ? given.map(textOfPrompt) : textOfPrompt(given)
  const prompts = readPrompts(prompt)
  const shown = prompts.map((_, index) =>
    isSeveral ? readShown(`prompt[${index}]`, given[index], media) : readShown("prompt", given, media),
  )
  const shared = readShared(fields, headers)
  checkProducts(prompts, shared)
  return {
    requests: prompts.map((each, index) => ({ ...shared, prompt: each, ...shown[index] })),
    isList: Array.isArray(prompt) && typeof prompt[0] !== "number",
    ...readReply(fields),
  }
}

/** @throws InvalidRequest, Unsupported */
export function toInfillCall(body: JsonObject, headers: HeaderOptions = {}): NativeCall {
  const fields = new Fields(withoutEmptyStops(body))
  refuseUnsupported(fields, UNSUPPORTED)
  const text = (name: string): string => fields.text(name, TEXTS.prompt) ?? ""
  const request: CompletionRequest = {
    ...readShared(fields, headers),
    // What the line of the cursor already has belongs to the text before the gap.
    prompt: text("input_prefix") + text("prompt"),
    suffix: text("input_suffix"),
    files: readFiles(fields),
    cutsToFit: true,
  }
  return { requests: [request], isList: false, ...readReply(fields) }
}

/** As in llama-server: its clients send settings that were left empty. */
function withoutEmptyStops(body: JsonObject): JsonObject {
  const { stop } = body
  return Array.isArray(stop) ? { ...body, stop: stop.filter((text) => text !== "") } : body
}

function readShared(fields: Fields, headers: HeaderOptions): Omit<CompletionRequest, "prompt"> {
  const isStream = fields.boolean("stream") ?? false
  return {
    kind: "completion",
    ...headers,
    ...readGenerationOptions(fields, undefined, LLAMA_LIMITS),
    slot: fields.integer("id_slot", NUMBERS.slot) ?? ANY_SLOT,
    echo: false,
    // The messages of a stream always have them.
    reportsTokens: isStream || (fields.boolean("return_tokens") ?? false),
    ...defined({
      // 0 means none.
      topLogprobs: fields.integer("n_probs", NUMBERS.alternatives) || undefined,
      leastIndent: fields.integer("n_indent", NUMBERS.indent),
    }),
  }
}

function readReply(fields: Fields): Pick<NativeCall, "reply" | "responseFields"> {
  const paths = fields.list("response_fields", COUNTS.words) ?? []
  return {
    reply: readReplyOptions(fields),
    responseFields: paths.map((path, index) => checkText(`response_fields[${index}]`, path, TEXTS.name)),
  }
}

/** A prompt may be wrapped in an object that has images and sounds too. */
function textOfPrompt(prompt: unknown): unknown {
  if (!isJsonObject(prompt)) return prompt
  const fields = new Fields(prompt, "prompt.")
  const text = fields.text("prompt_string", TEXTS.prompt)
  if (text === undefined) throw new InvalidRequest("prompt.prompt_string is required", "prompt")
  return text
}

/** What a wrapped prompt shows at its marks. Whether it is a picture or a sound, its content tells. */
function readShown(path: string, prompt: unknown, media: MediaSink): Pick<CompletionRequest, "media"> {
  if (!isJsonObject(prompt)) return {}
  const data = new Fields(prompt, `${path}.`).list("multimodal_data", COUNTS.contentParts) ?? []
  if (data.length === 0) return {}
  const parts = data.map((each, index) => media.either(`${path}.multimodal_data[${index}]`, each))
  return { media: { mark: MEDIA_MARK, parts } }
}

function readFiles(fields: Fields): NonNullable<CompletionRequest["files"]> {
  const given = fields.list("input_extra", COUNTS.files) ?? []
  return given.map((value, index) => {
    const path = `input_extra[${index}]`
    if (!isJsonObject(value)) throw new InvalidRequest(`${path} must be an object with a text`, "input_extra")
    const file = new Fields(value, `${path}.`)
    const text = file.text("text", TEXTS.prompt)
    if (text === undefined) throw new InvalidRequest(`${path}.text is required`, "input_extra")
    return { name: file.text("filename", TEXTS.name) ?? "", text }
  })
}
