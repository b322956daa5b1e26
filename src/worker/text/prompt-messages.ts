import type { VocabularyShare } from "../../llama/vocabulary"
import type { LibraryFiles } from "../../llama/library"
import type { GenerationRequest } from "../../domain"
import type { WireError } from "../../errors"

/** What the prompt thread needs to know of the model. */
export interface PromptThreadSetup {
  readonly type: "setup"
  readonly files: LibraryFiles
  readonly vocabulary: VocabularyShare
  readonly chatTemplate: string | null
  /** Somebody chose it, in place of the file's own. */
  readonly isTemplateChosen: boolean
  /** Why the model's own template cannot be used at all; chats fail with it, completions do not need one. */
  readonly templateError?: string
  readonly contextLength: number
}

export interface BuildPrompt {
  readonly type: "build"
  readonly id: number
  readonly request: GenerationRequest
}

export type ToPromptThread = PromptThreadSetup | BuildPrompt

/** A request's prompt as the model takes it. */
export interface BuiltPrompt {
  readonly text: string
  readonly tokens: Int32Array
  /** `logitBias` with every text replaced by its tokens. */
  readonly logitBias: readonly (readonly [token: number, bias: number])[]
}

export type FromPromptThread =
  | {
      readonly type: "ready"
      readonly templateOrigin: "model" | "built-in"
      /** Of the vocabulary; absent: the tokenizer rewrites text before it cuts it. */
      readonly longestTokenBytes?: number
      readonly fallbackReason?: string
    }
  /** The template has been applied; only tokenising is left. */
  | { readonly type: "rendered"; readonly id: number }
  | { readonly type: "built"; readonly id: number; readonly prompt: BuiltPrompt }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError }
