import { Unsupported } from "../errors/request"

/** Ids of the fill-in-the-middle tokens of a model. */
export interface FimTokens {
  readonly prefix: number
  readonly suffix: number
  readonly middle: number
}

/** Part of a fill-in-the-middle prompt. */
export type FimPiece =
  | { readonly type: "tokens"; readonly ids: readonly number[] }
  /** Tokenized as plain text: control tokens in it are not parsed. */
  | { readonly type: "text"; readonly text: string }

/**
 * The prompt that asks for the text between `prompt` and `suffix`, in the order prefix, suffix, middle that
 * published models are trained with (https://arxiv.org/abs/2207.14255, there called PSM). Does not include
 * BOS.
 * @throws Unsupported if the model has no such tokens
 */
export function renderFim(
  gap: { readonly prompt: string | readonly number[]; readonly suffix: string },
  tokens: FimTokens | undefined,
): FimPiece[] {
  if (tokens === undefined) {
    throw new Unsupported("the model has no fill-in-the-middle tokens, so it cannot use a suffix", "suffix")
  }
  const { prompt, suffix } = gap
  const before: FimPiece =
    typeof prompt === "string" ? { type: "text", text: prompt } : { type: "tokens", ids: prompt }
  return [
    { type: "tokens", ids: [tokens.prefix] },
    before,
    { type: "tokens", ids: [tokens.suffix] },
    { type: "text", text: suffix },
    { type: "tokens", ids: [tokens.middle] },
  ]
}
