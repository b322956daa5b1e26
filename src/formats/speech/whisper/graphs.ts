import { ELEMENT, type ExternalTensor, type GraphValue, GraphWriter } from "../../onnx/graph-writer"
import type { FeedForward, Linear, Norm, Weight, WhisperWeights } from "./weights"
import { whisperSizes } from "./weights"

const EPSILON = 1e-5
/** Added to scores of positions that a token must not attend to: later tokens. */
const MASKED = -1e9

/** A layer and head of the decoder whose attention follows the audio. */
export type AlignmentHead = readonly [layer: number, head: number]

/**
 * Whisper's encoder with sherpa-onnx's interface: from the spectrogram `mel` [N, mels, T] it computes the
 * keys and values of the decoder's cross-attention, for all its layers, [layers, N, T/2, state].
 */
export function whisperEncoder(
  weights: WhisperWeights,
  metadata: Readonly<Record<string, string | number>>,
): Uint8Array {
  const { mels, state } = whisperSizes(weights)
  const graph = new WhisperGraph(weights)
  const [first, second] = weights.convolutions
  let x = graph.gelu(graph.convolution("mel", first, 1))
  x = graph.node("Transpose", [graph.gelu(graph.convolution(x, second, 2))], { perm: [0, 2, 1] })
  const frames = graph.slice(graph.node("Shape", [x]), graph.ints(1), graph.ints(2), 0)
  x = graph.node("Add", [x, graph.slice(graph.floats(weights.encoderPositions), graph.ints(0), frames, 0)])
  for (const { attention, feedForward } of weights.encoder) {
    const normed = graph.norm(x, attention.norm)
    const attended = graph.attend(
      graph.linear(normed, attention.query),
      graph.linear(normed, attention.key),
      graph.linear(normed, attention.value),
    )
    x = graph.node("Add", [x, graph.linear(attended.output, attention.output)])
    x = graph.feedForward(x, feedForward)
  }
  x = graph.norm(x, weights.encoderNorm)
  const stacked = (part: "key" | "value", name: string): string =>
    graph.stack(
      weights.decoder.map(({ crossAttention }) => graph.linear(x, crossAttention[part])),
      name,
    )
  stacked("key", "n_layer_cross_k")
  stacked("value", "n_layer_cross_v")
  return graph.finish({
    inputs: [float("mel", ["N", mels, "T"])],
    outputs: crossCaches(weights.decoder.length, state),
    metadata,
  })
}

/**
 * Whisper's decoder with sherpa-onnx's interface: from new tokens [N, n] and the caches of the `offset`
 * tokens before them it computes logits, extended caches, and the attention of the alignment heads [N, heads,
 * n, T/2], from which token times are derived.
 */
export function whisperDecoder(
  weights: WhisperWeights,
  alignmentHeads: readonly AlignmentHead[],
): Uint8Array {
  const { state, textContext, vocabulary } = whisperSizes(weights)
  const layers = weights.decoder.length
  const graph = new WhisperGraph(weights)
  const embedding = graph.weight(weights.embedding)
  const count = graph.slice(graph.node("Shape", ["tokens"]), graph.ints(1), graph.ints(2), 0)
  const total = graph.node("Add", ["offset", count])
  const positions = graph.slice(graph.floats(weights.decoderPositions), "offset", total, 0)
  let x = graph.node("Add", [graph.node("Gather", [embedding, "tokens"]), positions])
  const mask = graph.causalMask(textContext, total)
  const aligned: string[] = []
  const caches = { k: [] as string[], v: [] as string[] }
  weights.decoder.forEach(({ selfAttention, crossAttention, feedForward }, layer) => {
    const extend = (name: "k" | "v", added: string): string => {
      const cache = graph.node("Gather", [`in_n_layer_self_${name}_cache`, graph.int(layer)], { axis: 0 })
      const known = graph.node("Concat", [graph.slice(cache, graph.ints(0), "offset", 1), added], { axis: 1 })
      const unused = graph.slice(cache, total, graph.ints(textContext), 1)
      caches[name].push(graph.node("Concat", [known, unused], { axis: 1 }))
      return known
    }
    const normed = graph.norm(x, selfAttention.norm)
    const own = graph.attend(
      graph.linear(normed, selfAttention.query),
      extend("k", graph.linear(normed, selfAttention.key)),
      extend("v", graph.linear(normed, selfAttention.value)),
      mask,
    )
    x = graph.node("Add", [x, graph.linear(own.output, selfAttention.output)])
    const ofLayer = (name: string): string => graph.node("Gather", [name, graph.int(layer)], { axis: 0 })
    const cross = graph.attend(
      graph.linear(graph.norm(x, crossAttention.norm), crossAttention.query),
      ofLayer("n_layer_cross_k"),
      ofLayer("n_layer_cross_v"),
    )
    x = graph.node("Add", [x, graph.linear(cross.output, crossAttention.output)])
    x = graph.feedForward(x, feedForward)
    const heads = alignmentHeads.filter(([ofHead]) => ofHead === layer).map(([, head]) => head)
    if (heads.length > 0)
      aligned.push(graph.node("Gather", [cross.weights, graph.ints(...heads)], { axis: 1 }))
  })
  x = graph.norm(x, weights.decoderNorm)
  graph.node("MatMul", [x, graph.node("Transpose", [embedding], { perm: [1, 0] })], {}, "logits")
  graph.stack(caches.k, "out_n_layer_self_k_cache")
  graph.stack(caches.v, "out_n_layer_self_v_cache")
  if (aligned.length > 0) graph.node("Concat", aligned, { axis: 1 }, "cross_attention_weights")
  const selfCaches = (direction: "in" | "out"): GraphValue[] =>
    ["k", "v"].map((name) =>
      float(`${direction}_n_layer_self_${name}_cache`, [layers, "N", textContext, state]),
    )
  return graph.finish({
    inputs: [
      { name: "tokens", type: "int64", shape: ["N", "n"] },
      ...selfCaches("in"),
      ...crossCaches(layers, state),
      { name: "offset", type: "int64", shape: [1] },
    ],
    outputs: [
      float("logits", ["N", "n", vocabulary]),
      ...selfCaches("out"),
      ...(aligned.length > 0
        ? [float("cross_attention_weights", ["N", alignmentHeads.length, "n", "T2"])]
        : []),
    ],
    metadata: {},
  })
}

function float(name: string, shape: GraphValue["shape"]): GraphValue {
  return { name, type: "float", shape }
}

function crossCaches(layers: number, state: number): GraphValue[] {
  return ["k", "v"].map((name) => float(`n_layer_cross_${name}`, [layers, "N", "T2", state]))
}

/** The building blocks of Whisper's encoder and decoder. All computation is in float32. */
class WhisperGraph extends GraphWriter {
  readonly #heads: number
  readonly #state: number

  constructor(weights: WhisperWeights) {
    super()
    this.#heads = weights.heads
    this.#state = whisperSizes(weights).state
  }

  floats(tensor: ExternalTensor): string {
    const values = this.external(tensor)
    return tensor.type === "float" ? values : this.node("Cast", [values], { to: ELEMENT.float })
  }

  weight({ values, scale }: Weight): string {
    const numbers = this.floats(values)
    if (scale === undefined) return numbers
    const isOfRows = scale.shape.length > 0
    const dimensions = values.shape.slice(1).map((_, i) => i + 1)
    const divisor = this.floats(scale)
    const shaped = isOfRows ? this.node("Unsqueeze", [divisor, this.ints(...dimensions)]) : divisor
    return this.node("Div", [numbers, shaped])
  }

  /** x·Wᵀ + b, over the last dimension. */
  linear(x: string, { weight, bias }: Linear): string {
    const product = this.node("MatMul", [x, this.node("Transpose", [this.weight(weight)], { perm: [1, 0] })])
    return bias === undefined ? product : this.node("Add", [product, this.floats(bias)])
  }

  norm(x: string, { gamma, beta }: Norm): string {
    const parameters = [x, this.floats(gamma), this.floats(beta)]
    return this.node("LayerNormalization", parameters, { axis: 2, epsilon: { float: EPSILON } })
  }

  convolution(x: string, { weight, bias }: Linear, stride: number): string {
    const parameters = [x, this.weight(weight), ...(bias === undefined ? [] : [this.floats(bias)])]
    return this.node("Conv", parameters, { kernel_shape: [3], pads: [1, 1], strides: [stride] })
  }

  /** x·(1 + erf(x/√2))/2, in the order that ONNX Runtime recognizes and fuses. */
  gelu(x: string): string {
    const error = this.node("Erf", [this.node("Div", [x, this.float(Math.SQRT2)])])
    const gated = this.node("Mul", [x, this.node("Add", [error, this.float(1)])])
    return this.node("Mul", [gated, this.float(0.5)])
  }

  feedForward(x: string, { norm, inner, outer }: FeedForward): string {
    const hidden = this.gelu(this.linear(this.norm(x, norm), inner))
    return this.node("Add", [x, this.linear(hidden, outer)])
  }

  /** Multi-head attention; `weights` [N, heads, queries, keys]. */
  attend(
    query: string,
    key: string,
    value: string,
    mask?: string,
  ): { readonly output: string; readonly weights: string } {
    const size = this.#state / this.#heads
    const scaled = this.node("Mul", [this.#split(query, [0, 2, 1, 3]), this.float(size ** -0.5)])
    const scores = this.node("MatMul", [scaled, this.#split(key, [0, 2, 3, 1])])
    const masked = mask === undefined ? scores : this.node("Add", [scores, mask])
    const weights = this.node("Softmax", [masked], { axis: 3 })
    const mixed = this.node("MatMul", [weights, this.#split(value, [0, 2, 1, 3])])
    const joined = this.node("Transpose", [mixed], { perm: [0, 2, 1, 3] })
    return { output: this.node("Reshape", [joined, this.ints(0, 0, this.#state)]), weights }
  }

  /** Rows `offset` to `total`, columns up to `total`, of the causal mask. */
  causalMask(context: number, total: string): string {
    const zeros = this.node("ConstantOfShape", [this.ints(context, context)])
    const full = this.node("Trilu", [this.node("Add", [zeros, this.float(MASKED)]), this.int(1)], {
      upper: 1,
    })
    return this.slice(this.slice(full, "offset", total, 0), this.ints(0), total, 1)
  }

  slice(x: string, start: string, end: string, axis: number): string {
    return this.node("Slice", [x, start, end, this.ints(axis)])
  }

  /** Stacks along a new first dimension. */
  stack(parts: readonly string[], name: string): string {
    const unsqueezed = parts.map((part) => this.node("Unsqueeze", [part, this.ints(0)]))
    return this.node("Concat", unsqueezed, { axis: 0 }, name)
  }

  #split(x: string, perm: readonly number[]): string {
    const size = this.#state / this.#heads
    return this.node("Transpose", [this.node("Reshape", [x, this.ints(0, 0, this.#heads, size)])], { perm })
  }
}
