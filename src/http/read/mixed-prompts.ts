import type { WorkRequest } from "../../domain/tasks"
import type { Engine } from "../../engine/contract"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { checkInteger, checkText, Fields, tooMany } from "./fields"
import type { JsonObject } from "./json-body"
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
  const tokenize = async (text: string, isFirst: boolean): Promise<Iterable<number>> => {
    const request = { kind: "tokenize", model, text, addSpecial: isFirst, parseSpecial: true } as const
    return (await engine.tokens({ ...request, withPieces: false }, signal)).tokens
  }
  const joined: unknown[] = []
  for (const [index, prompt] of prompts.entries()) {
    const name = isMixed(value) ? field : `${field}[${index}]`
    joined.push(isMixed(prompt) ? await joinParts(name, prompt, tokenize) : prompt)
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

/** Only a text at the start gets what the model needs at the start of a prompt. */
async function joinParts(
  name: string,
  parts: readonly unknown[],
  tokenize: (text: string, isFirst: boolean) => Promise<Iterable<number>>,
): Promise<readonly number[]> {
  const tokens: number[] = []
  for (const [index, part] of parts.entries()) {
    const place = `${name}[${index}]`
    if (typeof part !== "string") tokens.push(checkInteger(place, part, NUMBERS.tokenId))
    else
      for (const token of await tokenize(checkText(place, part, TEXTS.prompt), index === 0))
        tokens.push(token)
  }
  return tokens
}
