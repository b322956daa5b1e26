import type { ModelSummary, TtsDetails } from "../../domain/model"

/** The description of a voice derived from its files. */
export type TtsDescription = Omit<TtsDetails, Exclude<keyof ModelSummary, "kind">>

/** A voice and how to load it. */
export interface TtsModel {
  readonly kind: "tts"
  readonly description: TtsDescription
  readonly plan: TtsPlan
}

/** The families by their names in sherpa-onnx. */
export type TtsFamily = "vits" | "kokoro" | "kitten" | "matcha"

/** How a voice is loaded. Paths are those of the model's own files, which are not changed. */
export interface TtsPlan {
  readonly family: TtsFamily
  readonly model: string
  /** Metadata missing from the model; added in a copy of it. */
  readonly addedMetadata?: Readonly<Record<string, string | number>>
  /** A file of the model, or the contents of one to write. */
  readonly tokens: { readonly path: string } | { readonly content: string }
  /** The style vectors of all speakers: one file, or parts to concatenate in the order of the speakers. */
  readonly voices?: { readonly path: string } | { readonly parts: readonly FilePart[] }
  readonly vocoder?: string
  readonly lexicons: readonly string[]
  /** Transducers that rewrite the text, one per file or several in an archive. */
  readonly ruleFsts: readonly string[]
  readonly ruleFars: readonly string[]
  /** Absent: it takes characters or has its own lexicon. */
  readonly espeak?: EspeakNeeds
  /** Factor by which speech is slower than the graph's own. */
  readonly lengthScale: number
  readonly noise?: { readonly scale: number; readonly scaleW: number }
}

/** The espeak-ng data that a voice needs. */
export interface EspeakNeeds {
  /** espeak-ng's name of its language; of several speakers, that of the first. */
  readonly language: string
  /** Per speaker if they differ; passed with every request. */
  readonly speakerLanguages?: readonly string[]
  /** The folder of its own espeak-ng data. */
  readonly ownData?: string
}

/** A section of a file. */
export interface FilePart {
  readonly path: string
  readonly start: number
  readonly size: number
  /** Decompressed size if it is deflated, as in a ZIP archive: `skip` bytes of header and the data. */
  readonly inflatedBytes?: number
  /** Bytes of header before the data, after decompression. */
  readonly skip: number
}
