import type { AsrDetails, ModelSummary } from "../../domain/model"

/** The description of an ASR model derived from its files. */
export type AsrDescription = Omit<AsrDetails, Exclude<keyof ModelSummary, "kind">>

/** An ASR model and how to load it. */
export interface AsrModel {
  readonly kind: "asr"
  readonly description: AsrDescription
  readonly plan: AsrPlan
}

/** How an ASR model is loaded and used. */
export interface AsrPlan {
  /** The family's name in sherpa-onnx's configuration. */
  readonly family: string
  /**
   * The file for each field of the family's configuration; for a family with a single field the name may be
   * empty.
   */
  readonly files: Readonly<Record<string, FileSource>>
  /** The same to compute with bytes instead of floats, for processors that have instructions for it. */
  readonly int8?: {
    readonly files: Readonly<Record<string, FileSource>>
    /** Files that those refer to. */
    readonly beside: readonly FileSource[]
  }
  /** Other fields of the family's configuration. */
  readonly options: Readonly<Record<string, string | number>>
  /** Set if the engine cannot tell the variant of a family from the files alone. */
  readonly modelType?: string
  readonly tokens: FileSource
  /** Files that must be in the folder of the derived ones, under their own names. */
  readonly linked: readonly string[]
  readonly language: LanguageChoice
  /** Does the engine report token times? */
  readonly timed: boolean
  /** The longest stretch of audio transcribed at once. */
  readonly windowSeconds: number
  /** The engine stops after this many tokens per second of audio; absent: no limit. */
  readonly tokensPerSecond?: number
}

/** An existing file of the model, or one to derive from its files. */
export type FileSource =
  { readonly path: string } | { readonly name: string; readonly make: () => FileContents }

/** A large file is made in parts. */
export type FileContents = Promise<Uint8Array | string> | AsyncIterable<Uint8Array>

/** How a request's language and task are passed to the engine. */
export type LanguageChoice =
  /** The model supports one language, or detects it. */
  | { readonly how: "none" }
  /** Fields of the family's configuration that can change between requests. */
  | {
      readonly how: "each-request"
      readonly field: string
      /** Set to `transcribe` or `translate`. */
      readonly taskField?: string
      /** Set to the output language. */
      readonly targetField?: string
    }
  /** A field that applies only at load. */
  | { readonly how: "load"; readonly field: string }
