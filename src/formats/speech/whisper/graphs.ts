import { ELEMENT, type ExternalTensor, type GraphValue, GraphWriter } from "../../onnx/graph-writer"
import type { FeedForward, Int8Matrix, Linear, Norm, Weight, WhisperWeights } from "./weights"
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
  const { mels } = whisperSizes(weights)
  const graph = new WhisperGraph(weights)
  const [first, second] = weights.convolutions
  let x = graph.gelu(graph.convolution("mel", first, 1))
  x = graph.node("Transpose", [graph.gelu(graph.convolution(x, second, 2))], { perm: [0, 2, 1] })
  const frames = graph.slice(graph.node("Shape", [x]), graph.ints(1), graph.ints(2), 0)
  x = graph.node("Add", [x, graph.slice(graph.floats(weights.encoderPositions), graph.ints(0), frames, 0)])
  for (const { attention, feedForward } of weights.encoder) {
    const normed = graph.norm(x, attention.norm)
    const attended = graph.ofRuntime(
      "MultiHeadAttention",
      [
        graph.linear(normed, attention.query),
        graph.linear(normed, attention.key),
        graph.linear(normed, attention.value),
      ],
      { num_heads: weights.heads },
    )
    x = graph.node("Add", [x, graph.linear(attended, attention.output)])
    x = graph.feedForward(x, feedForward)
  }
  x = graph.norm(x, weights.encoderNorm)
  const caches = weights.decoder.map(({ crossAttention }) => ({
    k: graph.splitKey(graph.linear(x, crossAttention.key)),
    v: graph.splitValue(graph.linear(x, crossAttention.value)),
  }))
  for (const name of ["k", "v"] as const)
    graph.stack(
      caches.map((cache) => cache[name]),
      `n_layer_cross_${name}`,
    )
  return graph.finish({
    inputs: [float("mel", ["N", mels, "T"])],
    outputs: crossCaches(weights),
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
  const count = graph.slice(graph.node("Shape", ["tokens"]), graph.ints(1), graph.ints(2), 0)
  const total = graph.node("Add", ["offset", count])
  const positions = graph.slice(graph.floats(weights.decoderPositions), "offset", total, 0)
  let x = graph.node("Add", [graph.rowsOf(weights.embedding, "tokens"), positions])
  const mask = graph.causalMask(textContext, total)
  const aligned: string[] = []
  // The engine's first caches are as long as the context, and empty. Those returned to it have only what is known.
  const earlier = {
    k: graph.slice("in_n_layer_self_k_cache", graph.ints(0), "offset", 2),
    v: graph.slice("in_n_layer_self_v_cache", graph.ints(0), "offset", 2),
  }
  const caches = { k: [] as string[], v: [] as string[] }
  weights.decoder.forEach(({ selfAttention, crossAttention, feedForward }, layer) => {
    const extend = (name: "k" | "v", added: string): string => {
      const known = graph.node("Gather", [earlier[name], graph.int(layer)], { axis: 0 })
      const extended = graph.node("Concat", [known, added], { axis: 1 })
      caches[name].push(extended)
      return extended
    }
    const normed = graph.norm(x, selfAttention.norm)
    const own = graph.attend(
      graph.linear(normed, selfAttention.query),
      graph.splitKey(extend("k", graph.linear(normed, selfAttention.key))),
      graph.splitValue(extend("v", graph.linear(normed, selfAttention.value))),
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
  graph.linear(x, weights.logits, "logits")
  graph.stack(caches.k, "out_n_layer_self_k_cache")
  graph.stack(caches.v, "out_n_layer_self_v_cache")
  if (aligned.length > 0) graph.node("Concat", aligned, { axis: 1 }, "cross_attention_weights")
  const selfCaches = (direction: "in" | "out"): GraphValue[] =>
    ["k", "v"].map((name) =>
      float(`${direction}_n_layer_self_${name}_cache`, [layers, "N", direction, state]),
    )
  return graph.finish({
    inputs: [
      { name: "tokens", type: "int64", shape: ["N", "n"] },
      ...selfCaches("in"),
      ...crossCaches(weights),
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

/** The names of bytes, their scale and their zero. */
type Rounded = readonly [values: string, scale: string, zero: string]

function float(name: string, shape: GraphValue["shape"]): GraphValue {
  return { name, type: "float", shape }
}

/** Split by heads as attention needs them: the engine only passes them on. */
function crossCaches(weights: WhisperWeights): GraphValue[] {
  const { heads, decoder } = weights
  const size = whisperSizes(weights).state / heads
  return [
    float("n_layer_cross_k", [decoder.length, "N", heads, size, "T2"]),
    float("n_layer_cross_v", [decoder.length, "N", heads, "T2", size]),
  ]
}

/** The building blocks of Whisper's encoder and decoder. All computation is in float32. */
class WhisperGraph extends GraphWriter {
  readonly #heads: number
  readonly #state: number
  readonly #roundedBefore = new Map<string, Rounded>()

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

  /** Some rows of a matrix: only these become floats. */
  rowsOf({ values, scale }: Weight, indices: string): string {
    const gathered = (tensor: ExternalTensor): string => {
      const chosen = this.node("Gather", [this.external(tensor), indices], { axis: 0 })
      return tensor.type === "float" ? chosen : this.node("Cast", [chosen], { to: ELEMENT.float })
    }
    if (scale === undefined) return gathered(values)
    const divisor = scale.shape.length > 0 ? gathered(scale) : this.floats(scale)
    const shaped = scale.shape.length > 0 ? this.node("Unsqueeze", [divisor, this.ints(-1)]) : divisor
    return this.node("Div", [gathered(values), shaped])
  }

  /** x·Wᵀ + b, over the last dimension. */
  linear(x: string, { weight, bias, int8 }: Linear, name?: string): string {
    const ofProduct = bias === undefined ? name : undefined
    const product =
      int8 === undefined
        ? this.node(
            "MatMul",
            [x, this.node("Transpose", [this.weight(weight)], { perm: [1, 0] })],
            {},
            ofProduct,
          )
        : this.#int8Product(x, int8, ofProduct)
    return bias === undefined ? product : this.node("Add", [product, this.floats(bias)], {}, name)
  }

  /** x is rounded to bytes too, with one scale. ONNX Runtime recognizes this order and fuses it. */
  #int8Product(x: string, { values, scale }: Int8Matrix, name?: string): string {
    const [rounded, scaleOfX, zero] = this.#rounded(x)
    const sums = this.node("MatMulInteger", [rounded, this.external(values), zero])
    const factors = this.node("Mul", [scaleOfX, this.external(scale)])
    return this.node("Mul", [this.node("Cast", [sums], { to: ELEMENT.float }), factors], {}, name)
  }

  /** Several layers may begin with the same values. */
  #rounded(x: string): Rounded {
    const known = this.#roundedBefore.get(x)
    if (known !== undefined) return known
    const rounded: Rounded = [`${x}_u8`, `${x}_scale`, `${x}_zero`]
    this.nodes("DynamicQuantizeLinear", [x], {}, rounded)
    this.#roundedBefore.set(x, rounded)
    return rounded
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

  splitKey(key: string): string {
    return this.#split(key, [0, 2, 3, 1])
  }

  splitValue(value: string): string {
    return this.#split(value, [0, 2, 1, 3])
  }

  /** Multi-head attention over a split key and value; `weights` [N, heads, queries, keys]. */
  attend(
    query: string,
    key: string,
    value: string,
    mask?: string,
  ): { readonly output: string; readonly weights: string } {
    const size = this.#state / this.#heads
    const scaled = this.node("Mul", [this.#split(query, [0, 2, 1, 3]), this.float(size ** -0.5)])
    const scores = this.node("MatMul", [scaled, key])
    const masked = mask === undefined ? scores : this.node("Add", [scores, mask])
    const weights = this.node("Softmax", [masked], { axis: 3 })
    const mixed = this.node("MatMul", [weights, value])
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
