import type { ExternalTensor } from "../../onnx/graph-writer"

/** The weights of a layer; with `scale` they are integers to divide by one scale per row. */
export interface Weight {
  readonly values: ExternalTensor
  readonly scale?: ExternalTensor
}

/** A matrix of bytes [inputs, outputs], to multiply by one scale per output. */
export interface Int8Matrix {
  readonly values: ExternalTensor
  readonly scale: ExternalTensor
}

/** `weight` has a row per output. */
export interface Linear {
  readonly weight: Weight
  /** The same rounded, to compute with instead. */
  readonly int8?: Int8Matrix
  readonly bias?: ExternalTensor
}

export interface Norm {
  readonly gamma: ExternalTensor
  readonly beta: ExternalTensor
}

export interface Attention {
  readonly norm: Norm
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly output: Linear
}

export interface FeedForward {
  readonly norm: Norm
  readonly inner: Linear
  readonly outer: Linear
}

/** All weights of a Whisper, wherever they are stored. */
export interface WhisperWeights {
  readonly heads: number
  readonly convolutions: readonly [Linear, Linear]
  readonly encoderPositions: ExternalTensor
  readonly encoder: readonly { readonly attention: Attention; readonly feedForward: FeedForward }[]
  readonly encoderNorm: Norm
  readonly embedding: Weight
  readonly decoderPositions: ExternalTensor
  readonly decoder: readonly {
    readonly selfAttention: Attention
    readonly crossAttention: Attention
    readonly feedForward: FeedForward
  }[]
  readonly decoderNorm: Norm
  /** From the last state to the scores of all tokens. */
  readonly logits: Linear
}

/** Dimensions that follow from the weights. */
export interface WhisperSizes {
  readonly mels: number
  readonly audioContext: number
  readonly textContext: number
  readonly state: number
  readonly vocabulary: number
}

export function whisperSizes(weights: WhisperWeights): WhisperSizes {
  const [vocabulary = 0, state = 0] = weights.embedding.values.shape
  return {
    vocabulary,
    state,
    mels: weights.convolutions[0].weight.values.shape[1] ?? 0,
    audioContext: weights.encoderPositions.shape[0] ?? 0,
    textContext: weights.decoderPositions.shape[0] ?? 0,
  }
}

/** Rows `from` to `to` (exclusive); rows are contiguous. */
export function rows(tensor: ExternalTensor, from: number, to: number): ExternalTensor {
  const [count = 1, ...rest] = tensor.shape
  const rowBytes = tensor.bytes / count
  return {
    ...tensor,
    shape: [to - from, ...rest],
    offset: tensor.offset + from * rowBytes,
    bytes: (to - from) * rowBytes,
  }
}

/** The part of a layer that computes outputs `from` to `to` (exclusive). */
export function linearRows({ weight, bias }: Linear, from: number, to: number): Linear {
  const { values, scale } = weight
  return {
    weight: {
      values: rows(values, from, to),
      // A scalar scale applies to all rows.
      ...(scale !== undefined && { scale: scale.shape.length === 0 ? scale : rows(scale, from, to) }),
    },
    ...(bias !== undefined && { bias: rows(bias, from, to) }),
  }
}
