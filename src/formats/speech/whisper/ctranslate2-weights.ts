import { InvalidModelFile } from "../../../errors/model"
import type { ExternalTensor } from "../../onnx/graph-writer"
import type { Ct2Model } from "./ctranslate2"
import {
  type Attention,
  type FeedForward,
  type Linear,
  linearRows,
  type Norm,
  type WhisperWeights,
} from "./weights"

const MOST_LAYERS = 256

/**
 * The weights of a Whisper in CTranslate2's naming, which concatenates the rows of query, key and value
 * layers.
 * @throws InvalidModelFile if something is missing or it is not a Whisper
 */
export function ct2Weights(path: string, { variables, numbers }: Ct2Model): WhisperWeights {
  const tensor = (name: string): ExternalTensor => {
    const found = variables.get(name)
    if (found === undefined)
      throw new InvalidModelFile(path, `it is not a Whisper model: the variable '${name}' is missing`)
    return found
  }
  const linear = (name: string): Linear => {
    const scale = variables.get(`${name}/weight_scale`)
    const bias = variables.get(`${name}/bias`)
    return {
      weight: { values: tensor(`${name}/weight`), ...(scale !== undefined && { scale }) },
      ...(bias !== undefined && { bias }),
    }
  }
  const norm = (name: string): Norm => ({ gamma: tensor(`${name}/gamma`), beta: tensor(`${name}/beta`) })
  const third = (layer: Linear, index: number, parts: number): Linear => {
    const size = (layer.weight.values.shape[0] ?? 0) / parts
    return linearRows(layer, index * size, (index + 1) * size)
  }
  const selfAttention = (name: string): Attention => {
    const projections = linear(`${name}/linear_0`)
    return {
      norm: norm(`${name}/layer_norm`),
      query: third(projections, 0, 3),
      key: third(projections, 1, 3),
      value: third(projections, 2, 3),
      output: linear(`${name}/linear_1`),
    }
  }
  const crossAttention = (name: string): Attention => {
    const projections = linear(`${name}/linear_1`)
    return {
      norm: norm(`${name}/layer_norm`),
      query: linear(`${name}/linear_0`),
      key: third(projections, 0, 2),
      value: third(projections, 1, 2),
      output: linear(`${name}/linear_2`),
    }
  }
  const feedForward = (name: string): FeedForward => ({
    norm: norm(`${name}/layer_norm`),
    inner: linear(`${name}/linear_0`),
    outer: linear(`${name}/linear_1`),
  })
  const layers = (part: string): string[] => {
    const names: string[] = []
    while (names.length < MOST_LAYERS && variables.has(`${part}/layer_${names.length}/ffn/linear_0/weight`))
      names.push(`${part}/layer_${names.length}`)
    return names
  }
  const heads = numbers.get("encoder/num_heads")
  if (heads === undefined || heads < 1) throw new InvalidModelFile(path, "its number of heads is missing")
  return {
    heads,
    convolutions: [linear("encoder/conv1"), linear("encoder/conv2")],
    encoderPositions: tensor("encoder/position_encodings/encodings"),
    encoder: layers("encoder").map((name) => ({
      attention: selfAttention(`${name}/self_attention`),
      feedForward: feedForward(`${name}/ffn`),
    })),
    encoderNorm: norm("encoder/layer_norm"),
    embedding: linear("decoder/embeddings").weight,
    decoderPositions: tensor("decoder/position_encodings/encodings"),
    decoder: layers("decoder").map((name) => ({
      selfAttention: selfAttention(`${name}/self_attention`),
      crossAttention: crossAttention(`${name}/attention`),
      feedForward: feedForward(`${name}/ffn`),
    })),
    decoderNorm: norm("decoder/layer_norm"),
    logits: { weight: linear("decoder/embeddings").weight },
  }
}
