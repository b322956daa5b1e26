import type { EmbeddingRequest, Truncation } from "../../domain/embedding"
import { NUMBERS } from "../../limits"
import { type Fields, invalidField } from "./fields"

/** Which end is cut off: the names of Cohere and NVIDIA, TEI's and vLLM's. What is kept is the other one. */
const KEPT: Readonly<Record<string, Truncation>> = { none: "no", start: "end", end: "start" }
const KEPT_BY_SIDE = { left: "end", right: "start" } as const

/**
 * What becomes of texts that are too long: `truncate` (true, or the end to cut off), TEI's `truncation_direction`,
 * vLLM's `truncate_prompt_tokens` and `truncation_side`.
 * @throws InvalidRequest
 */
export function readTruncation(fields: Fields): Pick<EmbeddingRequest, "truncation" | "maxTokens"> {
  const side = readSide(fields, "truncation_side") ?? readSide(fields, "truncation_direction") ?? "right"
  const maxTokens = fields.integer("truncate_prompt_tokens", NUMBERS.truncatedTokens)
  const wanted = readTruncate(fields.unchecked("truncate"), KEPT_BY_SIDE[side])
  // -1: as long as the model takes. 0 asks for nothing.
  if (maxTokens === undefined || maxTokens === 0) return { truncation: wanted }
  const truncation = wanted === "no" ? KEPT_BY_SIDE[side] : wanted
  return maxTokens < 0 ? { truncation } : { truncation, maxTokens }
}

function readTruncate(value: unknown, usual: Truncation): Truncation {
  if (value === undefined || value === false) return "no"
  if (value === true) return usual
  const kept = typeof value === "string" ? KEPT[value.toLowerCase()] : undefined
  if (kept === undefined) throw invalidField("truncate", "true, false or one of NONE, START, END", value)
  return kept
}

function readSide(fields: Fields, name: string): "left" | "right" | undefined {
  const value = fields.unchecked(name)
  if (value === undefined) return undefined
  const side = typeof value === "string" ? value.toLowerCase() : ""
  if (side === "left" || side === "right") return side
  throw invalidField(name, "one of left, right", value)
}
