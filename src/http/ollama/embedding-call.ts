import type { EmbeddingRequest } from "../../domain/embedding"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { checkList, checkText, defined, Fields, invalidField } from "../read/fields"
import type { HeaderOptions } from "../read/headers"
import type { JsonObject } from "../read/body/json-body"
import { readModelOptions } from "../read/options"

/** A call of `/api/embed` or `/api/embeddings`. Without inputs, the model is only loaded or unloaded. */
export interface OllamaEmbeddingCall {
  readonly model: string
  readonly request: EmbeddingRequest
  /** None of them changes a vector. */
  readonly unusedOptions: readonly string[]
}

/** @throws InvalidRequest */
export function toOllamaEmbed(body: JsonObject, headers: HeaderOptions = {}): OllamaEmbeddingCall {
  const fields = new Fields(body)
  return callOf(fields, headers, {
    inputs: readInputs(fields.unchecked("input")),
    truncation: (fields.boolean("truncate") ?? true) ? "start" : "no",
    ...defined({ dimensions: fields.integer("dimensions", NUMBERS.dimensions) }),
  })
}

/** The older form, with one text. @throws InvalidRequest */
export function toOllamaEmbeddings(body: JsonObject, headers: HeaderOptions = {}): OllamaEmbeddingCall {
  const fields = new Fields(body)
  const prompt = fields.text("prompt", TEXTS.prompt) ?? ""
  return callOf(fields, headers, { inputs: prompt === "" ? [] : [prompt], truncation: "start" })
}

function callOf(
  fields: Fields,
  { cacheOwner: _, ...headers }: HeaderOptions,
  texts: Pick<EmbeddingRequest, "inputs" | "truncation" | "dimensions">,
): OllamaEmbeddingCall {
  const { model, ...modelOptions } = readModelOptions(fields)
  if (model === undefined) throw new InvalidRequest("model is required", "model")
  const options = fields.object("options") ?? {}
  new Fields(options, "options.").integer("num_ctx", { ...NUMBERS.context, min: 0 })
  return {
    model,
    request: { kind: "embedding", ...headers, ...modelOptions, model, ...texts },
    unusedOptions: Object.keys(options).filter((name) => name !== "num_ctx"),
  }
}

/** A text, which may be empty: there is nothing to embed then. */
function readInputs(input: unknown): readonly string[] {
  if (input === undefined || input === "") return []
  if (typeof input === "string") return [checkText("input", input, TEXTS.prompt)]
  if (!Array.isArray(input)) throw invalidField("input", "a string or an array of strings", input)
  return checkList("input", input, COUNTS.embeddingInputs).map((text, index) =>
    checkText(`input[${index}]`, text, TEXTS.prompt),
  )
}
