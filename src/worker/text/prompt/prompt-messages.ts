import type { GenerationRequest, ReasoningOptions, SamplingParameters } from "../../../domain/chat"
import type { WireError } from "../../../errors/base"
import type { LibraryFiles } from "../../../llama/library"
import type { VocabularyShare } from "../../../llama/vocabulary"
import type { TemplateFallback } from "../../../prompt/template"
import type { WireRendered, WireRequest } from "../../../protocol/wire"
import type { MediaUnits } from "./prompt-builder"
import type { PreparedRequest } from "./prepared"

/** What a request's own options take precedence over. Absent: as the template has it, and without a limit. */
export type ThinkingDefaults = Pick<ReasoningOptions, "isEnabled" | "budgetTokens">

/** What the prompt thread needs to know about the model. */
export interface PromptThreadSetup {
  readonly type: "setup"
  readonly files: LibraryFiles
  readonly vocabulary: VocabularyShare
  readonly chatTemplate: string | null
  /** `general.architecture`; absent if the file does not contain it. */
  readonly architecture?: string
  /** The template was configured, not read from the file. */
  readonly isTemplateChosen: boolean
  /** Why the model's own template is unusable; chats fail with it, completions need no template. */
  readonly templateError?: string
  readonly contextLength: number
  /** See `PreparedRequest.checkpoints`. */
  readonly needsCheckpoints: boolean
  /** The model's defaults, see `encodeDefaults`. */
  readonly modelDefaults?: string
  /** How chats think whose requests do not say. */
  readonly thinking: ThinkingDefaults
  /** The model's default sampling parameters; a request's own take precedence. */
  readonly sampling: SamplingParameters
}

/** Generate from the prompt, or only show it. */
export type Purpose = "generate" | "render"

export type ToPromptThread =
  | PromptThreadSetup
  | {
      readonly type: "prepare"
      readonly id: number
      readonly purpose: Purpose
      readonly request: WireRequest<GenerationRequest>
      /** What stands in the prompt for each picture or sound of the request; absent: it has none. */
      readonly media?: MediaUnits
    }
  /** Cancels a job; answered with `forgotten` unless it is too late. */
  | { readonly type: "forget"; readonly id: number }

export type FromPromptThread =
  | {
      readonly type: "ready"
      readonly fallback?: TemplateFallback
      /** Longest token of the vocabulary, in bytes; absent if the tokenizer normalizes text first. */
      readonly longestTokenBytes?: number
    }
  /** The grammar is being compiled, which may take long. */
  | { readonly type: "compiling"; readonly id: number }
  | { readonly type: "compiled"; readonly id: number }
  /** The template is applied; the remaining work is bounded. */
  | { readonly type: "templated"; readonly id: number }
  | { readonly type: "prepared"; readonly id: number; readonly request: PreparedRequest }
  | { readonly type: "rendered"; readonly id: number; readonly result: WireRendered }
  | { readonly type: "forgotten"; readonly id: number }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError }
