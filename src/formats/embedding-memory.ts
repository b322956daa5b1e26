/** What decides how much memory the buffers of an embedding context take. */
export interface EmbeddingShape {
  readonly embeddingLength: number
  readonly feedForwardLength: number
  readonly heads: number
  /** Rows of logits that llama.cpp allocates for decoders, used or not; 0: of an encoder. */
  readonly vocabulary: number
  /** The scores of attention are computed block by block; only which tokens see which is written down. */
  readonly flashAttention: boolean
}

/** Rows as wide as the embedding that a pass of the graph has in memory for each token, about. */
const ACTIVATION_ROWS = 12

/** All activations are f32. */
const BYTES = 4

/** The mask of attention, twice. */
const MASK_ROWS = 2

/** Buffers for one pass of so many tokens, whose scores of attention are computed as a whole. */
export function embeddingBytes(shape: EmbeddingShape, tokens: number): number {
  const { embeddingLength, feedForwardLength, heads, vocabulary, flashAttention } = shape
  const width = Math.max(embeddingLength, feedForwardLength)
  const perToken = ACTIVATION_ROWS * embeddingLength + 2 * width + vocabulary
  return BYTES * tokens * (perToken + tokens * (flashAttention ? MASK_ROWS : MASK_ROWS + heads))
}
