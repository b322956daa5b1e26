import type { RequestOptions } from "./request"

/** A question about a model's tokens. It takes no slot. */
export type TokensRequest = Pick<RequestOptions, "model"> &
  (
    | {
        readonly kind: "tokenize"
        readonly text: string
        /** Add what the model needs at the start and the end of a text? */
        readonly addSpecial: boolean
        /** Read the text of control tokens as those tokens? */
        readonly parseSpecial: boolean
        /** Tell the bytes of each token? */
        readonly withPieces: boolean
      }
    | { readonly kind: "detokenize"; readonly tokens: Int32Array }
  )

/** The answer to it: the tokens, and the text of tokens that were given. */
export interface TokensResult {
  readonly tokens: Int32Array
  readonly text?: string
  /** Bytes of all tokens, one after another, and of how many each consists. */
  readonly pieces?: { readonly bytes: Uint8Array; readonly lengths: Int32Array }
}
