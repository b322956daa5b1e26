import { Unsupported } from "../errors/request"

/** Ids of the tokens that a model was trained to fill gaps with. */
export interface FimTokens {
  readonly prefix: number
  readonly suffix: number
  readonly middle: number
}

/** Part of a fill-in-the-middle prompt. */
export type FimPiece =
  | { readonly type: "tokens"; readonly ids: readonly number[] }
  /** To be tokenised as plain text: control tokens in it are not meant. */
  | { readonly type: "text"; readonly text: string }

/**
 * The prompt that asks for what is missing between `prompt` and `suffix`, in the order prefix, suffix, middle that
 * published models were trained with (https://arxiv.org/abs/2207.14255, there called PSM). A BOS token is not in it.
 * @throws Unsupported where the model has no such tokens
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
