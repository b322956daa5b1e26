import type { GenerationOptions, SpeculationMode, SpeculationOptions } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, MAX_INT32, NUMBERS, PREDICTION, TEXTS } from "../../limits"
import { isJsonObject } from "./body/json-body"
import { checkText, type Defined, defined, Fields, invalidField } from "./fields"

/** Our names, and llama-server's kinds of the same. */
const MODES: Readonly<Record<string, SpeculationMode>> = {
  auto: "auto",
  off: "off",
  none: "off",
  ngram: "ngram",
  "ngram-simple": "ngram",
  "ngram-map-k": "ngram",
  "ngram-map-k4v": "ngram",
  "ngram-mod": "ngram",
  "ngram-cache": "ngram",
  draft: "draft",
  "draft-simple": "draft",
}

/** llama-server's fields, whose names have dots. More than can be checked at a time is as much as can be. */
const LENGTH = { min: 0, max: MAX_INT32 }

/** How answers are guessed ahead, and what from. @throws InvalidRequest */
export function readSpeculation(
  fields: Fields,
): Defined<Pick<GenerationOptions, "speculation" | "prediction">> {
  const options: SpeculationOptions = defined({
    mode: readMode(fields),
    most: bounded(fields.integer("speculative.n_max", LENGTH)),
    least: bounded(fields.integer("speculative.n_min", LENGTH)),
    leastProbability: fields.number("speculative.p_min", { min: 0, max: 1 }),
  })
  return defined({
    speculation: Object.keys(options).length === 0 ? undefined : options,
    prediction: readPrediction(fields),
  })
}

function readMode(fields: Fields): SpeculationMode | undefined {
  const name = fields.text("speculative.type", TEXTS.name)
  if (name === undefined) return undefined
  const mode = Object.hasOwn(MODES, name) ? MODES[name] : undefined
  if (mode !== undefined) return mode
  throw invalidField("speculative.type", `one of ${Object.keys(MODES).join(", ")}`, name)
}

function bounded(length: number | undefined): number | undefined {
  return length === undefined ? undefined : Math.min(length, NUMBERS.draft.max)
}

/** Only as much as is used is sent on. */
function readPrediction(fields: Fields): string | undefined {
  return readExpectedText(fields)
    ?.slice(0, PREDICTION.tokens * PREDICTION.tokenCharacters)
    .toWellFormed()
}

/** OpenAI's field: a text, or a list of its parts. */
function readExpectedText(fields: Fields): string | undefined {
  const given = fields.object("prediction")
  if (given === undefined) return undefined
  const prediction = new Fields(given, "prediction.")
  prediction.choice("type", ["content"] as const)
  const content = prediction.unchecked("content")
  // It is merely a hint.
  if (content === undefined) return undefined
  if (!Array.isArray(content)) return checkText("prediction.content", content, TEXTS.prompt)
  const parts = prediction.list("content", COUNTS.contentParts) ?? []
  return parts.map(textOfPart).join("")
}

function textOfPart(value: unknown, index: number): string {
  const path = `prediction.content[${index}]`
  if (!isJsonObject(value)) throw invalidField(path, "an object with a text", value)
  const part = new Fields(value, `${path}.`)
  part.choice("type", ["text"] as const)
  const text = part.text("text", TEXTS.prompt)
  if (text === undefined) throw new InvalidRequest(`${path}.text is required`, "prediction")
  return text
}
