import type { AsrDetails, ModelSummary } from "../../domain/model"

/** What a recogniser's files say about it. */
export type AsrDescription = Omit<AsrDetails, Exclude<keyof ModelSummary, "kind">>

/** A recogniser, and how the engine is given its files. */
export interface AsrModel {
  readonly kind: "asr"
  readonly description: AsrDescription
  readonly plan: AsrPlan
}

/** How a recogniser is loaded and used. */
export interface AsrPlan {
  /** The family's name in sherpa-onnx's configuration. */
  readonly family: string
  /** Which file each field of the family's configuration names; a family with a single field may have no name for it. */
  readonly files: Readonly<Record<string, FileSource>>
  /** Further fields of the family's configuration. */
  readonly options: Readonly<Record<string, string | number>>
  /** Where files alone do not tell the engine which of a family's kinds it is. */
  readonly modelType?: string
  readonly tokens: FileSource
  /** Files that must lie beside the derived ones, under their own names. */
  readonly linked: readonly string[]
  readonly language: LanguageChoice
  /** Does the engine say when each token was said? */
  readonly timed: boolean
  /** The longest stretch that is recognised at once. */
  readonly windowSeconds: number
  /** The engine gives up after this many tokens for each second; absent: never. */
  readonly tokensPerSecond?: number
}

/** A file of the model as it is, or one to be made from the model's files. */
export type FileSource =
  { readonly path: string } | { readonly name: string; readonly make: () => Promise<Uint8Array | string> }

/** How a request's language and task get to the engine. */
export type LanguageChoice =
  /** It knows one language, or finds out by itself. */
  | { readonly how: "none" }
  /** Fields of the family's configuration that may change between requests. */
  | {
      readonly how: "each-request"
      readonly field: string
      /** Takes `transcribe` or `translate`. */
      readonly taskField?: string
      /** Takes the language to write in. */
      readonly targetField?: string
    }
  /** A field that counts at the load only. */
  | { readonly how: "load"; readonly field: string }
