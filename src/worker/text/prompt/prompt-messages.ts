import type { GenerationRequest, SamplingParameters } from "../../../domain/chat"
import type { WireError } from "../../../errors/base"
import type { LibraryFiles } from "../../../llama/library"
import type { VocabularyShare } from "../../../llama/vocabulary"
import type { TemplateFallback } from "../../../prompt/template"
import type { WireRendered, WireRequest } from "../../../protocol/wire"
import type { PreparedRequest } from "./prepared"

/** What the prompt thread needs to know of the model. */
export interface PromptThreadSetup {
  readonly type: "setup"
  readonly files: LibraryFiles
  readonly vocabulary: VocabularyShare
  readonly chatTemplate: string | null
  /** `general.architecture`; absent where the file does not say it. */
  readonly architecture?: string
  /** Somebody chose it, in place of the file's own. */
  readonly isTemplateChosen: boolean
  /** Why the model's own template cannot be used at all; chats fail with it, completions do not need one. */
  readonly templateError?: string
  readonly contextLength: number
  /** What comes along with the model, see `encodeDefaults`. */
  readonly along?: string
  /** The model's defaults, over which a request's own go. */
  readonly sampling: SamplingParameters
}

/** To be generated from, or only to be shown. */
export type Purpose = "generate" | "render"

export type ToPromptThread =
  | PromptThreadSetup
  | {
      readonly type: "prepare"
      readonly id: number
      readonly purpose: Purpose
      readonly request: WireRequest<GenerationRequest>
    }
  /** Nobody wants this one any more. It is answered with `forgotten`, unless that comes too late. */
  | { readonly type: "forget"; readonly id: number }

export type FromPromptThread =
  | {
      readonly type: "ready"
      readonly fallback?: TemplateFallback
      /** Of the vocabulary; absent: the tokenizer rewrites text before it cuts it. */
      readonly longestTokenBytes?: number
    }
  /** The template has been applied; only work that is bounded is left. */
  | { readonly type: "templated"; readonly id: number }
  | { readonly type: "prepared"; readonly id: number; readonly request: PreparedRequest }
  | { readonly type: "rendered"; readonly id: number; readonly result: WireRendered }
  | { readonly type: "forgotten"; readonly id: number }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError }
