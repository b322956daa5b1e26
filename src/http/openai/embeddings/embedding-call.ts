import type { EmbeddingInput, EmbeddingRequest } from "../../../domain/embedding"
import { InvalidRequest } from "../../../errors/request"
import { COUNTS, NUMBERS } from "../../../limits"
import { refuseUnsupported } from "../../read/field-table"
import { defined, Fields } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import type { JsonObject } from "../../read/body/json-body"
import { readModelOptions } from "../../read/options"
import { readPrompts } from "../../read/prompts"
import { readTruncation } from "../../read/truncation"
import { EMBEDDING_FIELDS } from "./fields"

const ENCODINGS = ["float", "base64"] as const

export interface EmbeddingCall {
  readonly request: EmbeddingRequest
  readonly encoding: (typeof ENCODINGS)[number]
}

/** @throws InvalidRequest, Unsupported */
export function toEmbeddingCall(body: JsonObject, headers: HeaderOptions = {}): EmbeddingCall {
  const fields = new Fields(body)
  refuseUnsupported(fields, EMBEDDING_FIELDS)
  const { cacheOwner: _, ...options } = headers
  const request: EmbeddingRequest = {
    kind: "embedding",
    ...options,
    ...readModelOptions(fields),
    inputs: readInputs(fields.unchecked("input")),
    ...readTruncation(fields),
    ...defined({ dimensions: fields.integer("dimensions", NUMBERS.dimensions), norm: readNorm(fields) }),
  }
  return { request, encoding: fields.choice("encoding_format", ENCODINGS) ?? "float" }
}

/** llama-server's number of a norm; vLLM's and TEI's flag turns the scaling off. */
function readNorm(fields: Fields): number | undefined {
  const norm = fields.integer("embd_normalize", NUMBERS.norm)
  const isScaled = fields.boolean("normalize") ?? true
  return norm ?? (isScaled ? undefined : -1)
}

function readInputs(value: unknown): readonly EmbeddingInput[] {
  const inputs = readPrompts(value, "input", COUNTS.embeddingInputs)
  if (inputs.length === 0) throw new InvalidRequest("input must not be empty", "input")
  return inputs
}
