import type { TokensRequest, TokensResult } from "../../domain/tokens"
import type { WireError } from "../../errors/base"
import type { LibraryFiles } from "../../llama/library"
import type { TokenizeOptions, VocabularyShare } from "../../llama/vocabulary"

export type ToTokenThread =
  | { readonly type: "setup"; readonly files: LibraryFiles; readonly vocabulary: VocabularyShare }
  | {
      readonly type: "tokenize"
      readonly id: number
      readonly texts: readonly string[]
      readonly options: TokenizeOptions
    }
  | { readonly type: "ask"; readonly id: number; readonly request: TokensRequest }

export type FromTokenThread =
  /** `lengths`: of each text; `tokens`: of all, one after another. */
  | {
      readonly type: "tokenized"
      readonly id: number
      readonly tokens: Int32Array
      readonly lengths: Int32Array
    }
  | { readonly type: "told"; readonly id: number; readonly result: TokensResult }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError }
