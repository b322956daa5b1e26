/** What decides how much memory the buffers of an embedding context take. */
export interface EmbeddingShape {
  readonly embeddingLength: number
  readonly feedForwardLength: number
  readonly heads: number
  /** Rows of logits that llama.cpp allocates for decoders, used or not; 0: of an encoder. */
  readonly vocabulary: number
  /** The scores of attention are computed block by block; only which tokens see which is written down. */
  readonly flashAttention: boolean
  /** Of the KV cache, per token, where texts are computed in parts; undefined: as a whole. */
  readonly cellBytes?: number
}

/** Rows as wide as the embedding that a pass of the graph has in memory for each token, about. */
const ACTIVATION_ROWS = 12

/** All activations are f32. */
const BYTES = 4

/** Computed, and copied. */
const LOGITS_ROWS = 2

/** The mask of attention, twice. */
const MASK_ROWS = 2

/** Tokens computed at once where texts are computed in parts. */
const PART_TOKENS = 512

/** Buffers for texts of so many tokens, whose scores of attention are computed as a whole. */
export function embeddingBytes(shape: EmbeddingShape, tokens: number): number {
  const { embeddingLength, feedForwardLength, heads, vocabulary, flashAttention, cellBytes } = shape
  const width = Math.max(embeddingLength, feedForwardLength)
  const perToken = ACTIVATION_ROWS * embeddingLength + 2 * width + LOGITS_ROWS * vocabulary
  const atOnce = cellBytes === undefined ? tokens : Math.min(tokens, PART_TOKENS)
  const scores = flashAttention ? MASK_ROWS : MASK_ROWS + heads
  return BYTES * atOnce * (perToken + tokens * scores) + tokens * (cellBytes ?? 0)
}
