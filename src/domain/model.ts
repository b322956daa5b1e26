import type { ChatMessage, SamplingParameters } from "./chat"
import type { ModelSettings } from "./settings"

/** What a model does: generate text, speak, write down speech, or draw. */
export type ModelKind = "text" | "tts" | "asr" | "image"

/** A model on disk. */
export interface ModelSummary {
  readonly name: string
  readonly kind: ModelKind
  /** What a worker loads: a file, or the folder of a model that consists of several. */
  readonly path: string
  /** Hex digest that names this version of the file. */
  readonly id: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
  /** What it brings along beside its weights; absent: nothing. */
  readonly defaults?: ModelDefaults
  /** Other names that the configuration gives it, in lists and descriptions; absent: none. */
  readonly aliases?: readonly string[]
}

/**
 * What a model brings along beside its weights, from a Modelfile or from the registry that it came from. Requests win
 * over it, and so does what the user has set; it wins over what the GGUF says.
 */
export interface ModelDefaults {
  /** Jinja; in place of the file's own. */
  readonly template?: string
  /** Used where a chat does not begin with a system message. */
  readonly system?: string
  /** Come before a chat's own messages, behind its system message. */
  readonly messages?: readonly ChatMessage[]
  readonly sampling?: Partial<SamplingParameters>
  readonly stop?: readonly string[]
  readonly maxTokens?: number
  /** Named as settings are. */
  readonly settings?: Partial<ModelSettings>
  /** Absolute paths of LoRA adapters that are applied when the model is loaded. */
  readonly adapters?: readonly { readonly path: string; readonly scale: number }[]
  /** What of it cannot be had, and what is done in its place; one sentence each. */
  readonly notes?: readonly string[]
}

/** What is known of a model of any kind. */
export type ModelDetails = TextModelDetails | TtsDetails | AsrDetails | ImageModelDetails

/** What is known of every model. */
export interface CommonModelDetails extends ModelSummary {
  readonly license: string | undefined
  /**
   * `completion`, `chat`, `tools`, `thinking`, `insert` (fill-in-the-middle), `embedding`, `rerank`, `vision`, `speech`,
   * `transcription`, `image`.
   */
  readonly capabilities: readonly string[]
}

/** A file of a model that consists of several, by its name inside the model's folder. */
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
  /** In the order of their numbers; without a name where the voice gives none. */
  readonly speakers: readonly (string | undefined)[]
  readonly languages: readonly string[]
  readonly files: readonly ModelPart[]
}

export interface AsrDetails extends CommonModelDetails {
  readonly kind: "asr"
  /** `whisper`, `moonshine`, `transducer`, … */
  readonly family: string
  /** Codes of the languages that can be asked for; empty where it does not tell. */
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
  /** What of a whole painter is there: `diffusion`, `vae`, `clip_l`, `t5xxl`, … */
  readonly components: readonly string[]
  readonly files: readonly ModelPart[]
}

/** What a text model's file says about it. */
export interface TextModelDetails extends CommonModelDetails {
  readonly kind: "text"
  readonly architecture: string
  readonly parameterCount: number
  readonly quantization: string
  readonly contextLength: number
  readonly embeddingLength: number
  readonly layers: number
  readonly heads: number
  readonly chatTemplate: string | undefined
  /** Every scalar key of the file, and arrays as their element type and length. */
  readonly metadata: Readonly<Record<string, string | number | bigint | boolean>>
}
