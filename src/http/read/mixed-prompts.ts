import type { WorkRequest } from "../../domain/tasks"
import type { Engine } from "../../engine/contract"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { checkInteger, checkText, Fields, tooMany } from "./fields"
import type { JsonObject } from "./body/json-body"
import { readModel } from "./options"

/** What the texts among token ids are tokenized with. */
interface Tokenizing {
  readonly engine: Engine
  /** Chooses the model where the request names none. */
  readonly kind: WorkRequest["kind"]
  readonly signal: AbortSignal
}

/**
 * As in llama-server, a prompt may have texts among its token ids: `[1, 2, "text", 3]`. Returns the body with such
 * prompts in `field` as token ids, and with all others as they were.
 * @throws InvalidRequest, ModelNotFound
 */
export async function joinMixedPrompts(
  body: JsonObject,
  field: string,
  tokenizing: Tokenizing,
): Promise<JsonObject> {
  const value = body[field]
  if (!Array.isArray(value)) return body
  const prompts: readonly unknown[] = isMixed(value) ? [value] : value
  const mixed = prompts.filter(isMixed)
  if (mixed.length === 0) return body
  checkCounts(field, mixed)
  const { engine, kind, signal } = tokenizing
  const model = (await engine.resolve(readModel(new Fields(body)), kind)).name
  const reading: PartReading = { engine, model, signal, addSpecial: true, parseSpecial: true }
  const joined: unknown[] = []
  for (const [index, prompt] of prompts.entries()) {
    const name = isMixed(value) ? field : `${field}[${index}]`
    joined.push(isMixed(prompt) ? await joinParts(name, prompt, reading) : prompt)
  }
  return { ...body, [field]: isMixed(value) ? joined[0] : joined }
}

function isMixed(value: unknown): value is readonly unknown[] {
  return (
    Array.isArray(value) &&
    value.some((part) => typeof part === "number") &&
    value.some((part) => typeof part === "string")
  )
}

function checkCounts(field: string, prompts: readonly (readonly unknown[])[]): void {
  const parts = prompts.reduce((sum, prompt) => sum + prompt.length, 0)
  const { maxItems: mostTokens } = COUNTS.promptTokens
  if (parts > mostTokens) throw tooMany(field, mostTokens, "token ids in all", parts)
  const texts = prompts.reduce(
    (sum, prompt) => sum + prompt.filter((part) => typeof part === "string").length,
    0,
  )
  const { maxItems: mostTexts } = COUNTS.mixedTexts
  if (texts > mostTexts) throw tooMany(field, mostTexts, "texts among token ids", texts)
}

/** How the texts among token ids are read. */
interface PartReading extends Pick<Tokenizing, "engine" | "signal"> {
  readonly model: string
  /** Begin a text at the start as the model needs it? */
  readonly addSpecial: boolean
  readonly parseSpecial: boolean
}

/**
 * The token ids of texts and token ids, in their order.
 * @throws InvalidRequest
 */
export async function joinTokens(
  name: string,
  parts: readonly unknown[],
  reading: PartReading,
): Promise<readonly number[]> {
  checkCounts(name, [parts])
  return await joinParts(name, parts, reading)
}

async function joinParts(
  name: string,
  parts: readonly unknown[],
  { engine, model, signal, addSpecial, parseSpecial }: PartReading,
): Promise<readonly number[]> {
  const all: number[] = []
  for (const [index, part] of parts.entries()) {
    const place = `${name}[${index}]`
    if (typeof part !== "string") {
      all.push(checkInteger(place, part, NUMBERS.tokenId))
      continue
    }
    const text = checkText(place, part, TEXTS.prompt)
    const request = { kind: "tokenize", model, text, parseSpecial, withPieces: false } as const
    const { tokens } = await engine.tokens({ ...request, addSpecial: addSpecial && index === 0 }, signal)
    for (const token of tokens) all.push(token)
  }
  return all
}
