import type { ModelSummary, TtsDetails } from "../../domain/model"

/** What a voice's files say about it. */
export type TtsDescription = Omit<TtsDetails, Exclude<keyof ModelSummary, "kind">>

/** A voice, and how the engine is given its files. */
export interface TtsModel {
  readonly kind: "tts"
  readonly description: TtsDescription
  readonly plan: TtsPlan
}

/** The families as sherpa-onnx calls them. */
export type TtsFamily = "vits" | "kokoro" | "kitten" | "matcha"

/** How a voice is loaded. Paths are those of the model's own files, which stay as they are. */
export interface TtsPlan {
  readonly family: TtsFamily
  readonly model: string
  /** What the model's own metadata lack; a copy of it gets them. */
  readonly addedMetadata?: Readonly<Record<string, string | number>>
  /** A file of the model, or what is to be written into one. */
  readonly tokens: { readonly path: string } | { readonly content: string }
  /** Style vectors of all speakers in one file, or in parts to be joined, in the order of the speakers. */
  readonly voices?: { readonly path: string } | { readonly parts: readonly FilePart[] }
  readonly vocoder?: string
  readonly lexicons: readonly string[]
  /** Transducers that rewrite the text, each alone in its file or several in an archive. */
  readonly ruleFsts: readonly string[]
  readonly ruleFars: readonly string[]
  /** Absent: it reads characters or its own lexicon. */
  readonly espeak?: EspeakNeeds
  /** How much slower than its graph it speaks. */
  readonly lengthScale: number
  readonly noise?: { readonly scale: number; readonly scaleW: number }
}

/** What a voice needs of espeak-ng. */
export interface EspeakNeeds {
  /** The language that it speaks, as espeak-ng calls it; of several speakers, the first one's. */
  readonly language: string
  /** Of each speaker, where they differ; told with every request. */
  readonly speakerLanguages?: readonly string[]
  /** The folder of its own data. */
  readonly ownData?: string
}

/** A stretch of a file. */
export interface FilePart {
  readonly path: string
  readonly start: number
  readonly size: number
  /** It is deflated, as in a ZIP archive, and so many bytes come out of it: `skip` bytes of header and the data. */
  readonly inflatedBytes?: number
  /** Bytes of header before the data, in what was read. */
  readonly skip: number
}
