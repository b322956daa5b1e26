import { type AttachedPart, bytesOfParts, isLoaded } from "./attached-parts"
import type { ChatMessage, SamplingParameters } from "./chat"
import type { Pooling } from "./embedding"
import type { ProjectorFacts } from "./projector"
import type { ModelSettings } from "./settings"

/** What a model does: generate text, embed or rank it, synthesise speech, transcribe speech, or generate images. */
export type ModelKind = "text" | "embedding" | "tts" | "asr" | "image"

/** A model on disk. */
export interface ModelSummary {
  readonly name: string
  readonly kind: ModelKind
  /** What a worker loads: a file, or the folder of a model with several files. */
  readonly path: string
  /** Hex digest that identifies this version of the file. */
  readonly id: string
  /** Of all its files, those of its parts included. */
  readonly sizeBytes: number
  readonly modifiedAt: Date
  /** Defaults that come with the model; absent: none. */
  readonly defaults?: ModelDefaults
  /** The files attached to its weights; absent: none. */
  readonly parts?: readonly AttachedPart[]
  /** Aliases in the configuration, shown in lists and descriptions; absent: none. */
  readonly aliases?: readonly string[]
}

/** Bytes of the files that a worker loads: the weights, and those of the parts that are in use. */
export function loadedBytes({ sizeBytes, parts = [] }: Pick<ModelSummary, "sizeBytes" | "parts">): number {
  return sizeBytes - bytesOfParts(parts.filter((part) => !isLoaded(part)))
}

/**
 * Defaults that come with a model besides its weights, from a Modelfile or its registry. Requests and the user's
 * settings override them; they override the GGUF's own values.
 */
export interface ModelDefaults {
  /** Jinja; replaces the file's own. */
  readonly template?: string
  /** Used where a chat does not begin with a system message. */
  readonly system?: string
  /** Inserted before a chat's own messages, after its system message. */
  readonly messages?: readonly ChatMessage[]
  readonly sampling?: Partial<SamplingParameters>
  readonly stop?: readonly string[]
  readonly maxTokens?: number
  /** By the names of the settings. */
  readonly settings?: Partial<ModelSettings>
  /** What is not supported, and what is done instead; one sentence each. */
  readonly notes?: readonly string[]
}

/** The description of a model of any kind. */
export type ModelDetails = GgufDetails | TtsDetails | AsrDetails | ImageModelDetails

/** The description of a model that llama.cpp runs. */
export type GgufDetails = TextModelDetails | EmbeddingModelDetails

/** The description shared by all kinds. */
export interface CommonModelDetails extends ModelSummary {
  readonly license: string | undefined
  /**
   * `completion`, `chat`, `tools`, `thinking`, `insert` (fill-in-the-middle), `embedding`, `rerank`, `vision`, `audio` (it
   * sees pictures, it hears sounds), `speech`, `transcription`, `image`.
   */
  readonly capabilities: readonly string[]
}

/** A file of a model with several files, by its name inside the model's folder. */
export interface ModelPart {
  readonly name: string
  readonly sizeBytes: number
}

export interface TtsDetails extends CommonModelDetails {
  readonly kind: "tts"
  /** `piper`, `kokoro`, `vits`, `matcha`, `kitten`, … */
  readonly family: string
  /** Hertz. */
  readonly sampleRate: number
  /** Indexed by speaker number; undefined for speakers without a name. */
  readonly speakers: readonly (string | undefined)[]
  readonly languages: readonly string[]
  readonly files: readonly ModelPart[]
}

export interface AsrDetails extends CommonModelDetails {
  readonly kind: "asr"
  /** `whisper`, `moonshine`, `transducer`, … */
  readonly family: string
  /** Codes of the languages that can be requested; empty where unknown. */
  readonly languages: readonly string[]
  readonly canTranslate: boolean
  readonly files: readonly ModelPart[]
}

export interface ImageModelDetails extends CommonModelDetails {
  readonly kind: "image"
  /** `sd1`, `sd2`, `sdxl`, `sd3`, `flux`, … */
  readonly architecture: string
  readonly parameterCount: number
  readonly quantization: string
  /** The components present: `diffusion`, `vae`, `clip_l`, `t5xxl`, … */
  readonly components: readonly string[]
  readonly files: readonly ModelPart[]
}

/** The description in a text model's file. */
export interface TextModelDetails extends GgufFacts {
  readonly kind: "text"
  /** What the projector says that comes with it; absent: there is none that can be used. */
  readonly projector?: ProjectorFacts
}

/** The same of an embedding model, or one that ranks texts. */
export interface EmbeddingModelDetails extends GgufFacts {
  readonly kind: "embedding"
  /** As the file says; absent: it leaves that open. */
  readonly pooling?: Pooling
}

/** Does llama.cpp run it? */
export function isGguf<D extends { readonly kind: ModelKind }>(
  details: D,
): details is Extract<D, { readonly kind: "text" | "embedding" }> {
  return details.kind === "text" || details.kind === "embedding"
}

interface GgufFacts extends CommonModelDetails {
  readonly architecture: string
  readonly parameterCount: number
  readonly quantization: string
  readonly contextLength: number
  readonly embeddingLength: number
  readonly layers: number
  readonly heads: number
  readonly chatTemplate: string | undefined
  /** The texts of the tokens that begin and end a text; absent: the file names none. */
  readonly bosToken?: string
  readonly eosToken?: string
  /** Every scalar key of the file; arrays as their element type and length. */
  readonly metadata: Readonly<Record<string, string | number | bigint | boolean>>
}

/** What a server does not report of a model: where its files are, and what only they contain. */
type FileFacts =
  "path" | "id" | "sizeBytes" | "modifiedAt" | "files" | "metadata" | "layers" | "heads" | "license"

type FactsOf<D> = Omit<D, FileFacts | "parts"> &
  Partial<Pick<D, FileFacts & keyof D>> & { readonly parts?: readonly Omit<AttachedPart, "path">[] }

/** The facts about a model, of which a server reports fewer than its files contain. */
export type ModelFacts =
  | FactsOf<TextModelDetails>
  | FactsOf<EmbeddingModelDetails>
  | FactsOf<TtsDetails>
  | FactsOf<AsrDetails>
  | FactsOf<ImageModelDetails>
