/** What a projector's file says: it turns pictures or sounds into embeddings that a text model understands. */
export interface ProjectorFacts {
  /** llama.cpp's names of its kinds: `gemma3`, `qwen2vl_merger`, …; two where it sees and hears. */
  readonly families: readonly string[]
  readonly sees: boolean
  readonly hears: boolean
  readonly parameterCount: number
  /** Of the encoder. */
  readonly embeddingLength: number
  /** The width of its embeddings, which is the text model's; 0: the file does not say. */
  readonly dimensions: number
  /** What its largest buffers follow from. */
  readonly encoder: EncoderShape
}

export interface EncoderShape {
  readonly feedForwardLength: number
  readonly heads: number
  /** How many patches one embedding stands for. */
  readonly patchesPerCell: number
  /** How many cells every unit of a picture has; absent: it depends on the picture's size. */
  readonly cells?: number
}

/** The capabilities that a projector gives to its model. */
export function capabilitiesOfProjector({
  sees,
  hears,
}: Pick<ProjectorFacts, "sees" | "hears">): readonly ("vision" | "audio")[] {
  return [...(sees ? (["vision"] as const) : []), ...(hears ? (["audio"] as const) : [])]
}
