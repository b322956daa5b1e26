import { basename } from "node:path"
import { InvalidModelFile } from "../../../errors/model"
import type { ElementType, ExternalTensor } from "../../onnx/graph-writer"
import { readSafetensorsHeader } from "../../safetensors"
import type { Attention, FeedForward, Linear, Norm, WhisperWeights } from "./weights"

const MOST_LAYERS = 256

const TYPES: ReadonlyMap<string, ElementType> = new Map([
  ["F32", "float"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
])

/**
 * The weights of a Whisper in the naming of Hugging Face's transformers, from one file or several.
 * @throws InvalidModelFile if something is missing or it is not a Whisper
 */
export async function huggingFaceWeights(paths: readonly string[], heads: number): Promise<WhisperWeights> {
  const tensors = new Map<string, ExternalTensor>()
  for (const path of paths) await addTensors(path, tensors)
  return nameWeights(paths[0] ?? "", tensors, heads)
}

async function addTensors(path: string, tensors: Map<string, ExternalTensor>): Promise<void> {
  for (const { name, dtype, shape, start, end } of (await readSafetensorsHeader(path)).tensors) {
    const type = TYPES.get(dtype)
    if (type === undefined)
      throw new InvalidModelFile(path, `'${name}' is of the type ${dtype}, not of floats`)
    tensors.set(name, { type, shape, location: basename(path), offset: start, bytes: end - start })
  }
}

function nameWeights(
  path: string,
  tensors: ReadonlyMap<string, ExternalTensor>,
  heads: number,
): WhisperWeights {
  const tensor = (name: string): ExternalTensor => {
    const found = tensors.get(`model.${name}`) ?? tensors.get(name)
    if (found === undefined)
      throw new InvalidModelFile(path, `it is not a Whisper model: the tensor '${name}' is missing`)
    return found
  }
  const has = (name: string): boolean => tensors.has(`model.${name}`) || tensors.has(name)
  const linear = (name: string): Linear => ({
    weight: { values: tensor(`${name}.weight`) },
    // Key layers have no bias.
    ...(has(`${name}.bias`) && { bias: tensor(`${name}.bias`) }),
  })
  const norm = (name: string): Norm => ({ gamma: tensor(`${name}.weight`), beta: tensor(`${name}.bias`) })
  const attention = (layer: string, kind: "self_attn" | "encoder_attn"): Attention => ({
    norm: norm(`${layer}.${kind}_layer_norm`),
    query: linear(`${layer}.${kind}.q_proj`),
    key: linear(`${layer}.${kind}.k_proj`),
    value: linear(`${layer}.${kind}.v_proj`),
    output: linear(`${layer}.${kind}.out_proj`),
  })
  const feedForward = (layer: string): FeedForward => ({
    norm: norm(`${layer}.final_layer_norm`),
    inner: linear(`${layer}.fc1`),
    outer: linear(`${layer}.fc2`),
  })
  const layers = (part: string): string[] => {
    const names: string[] = []
    while (names.length < MOST_LAYERS && has(`${part}.layers.${names.length}.fc1.weight`))
      names.push(`${part}.layers.${names.length}`)
    return names
  }
  return {
    heads,
    convolutions: [linear("encoder.conv1"), linear("encoder.conv2")],
    encoderPositions: tensor("encoder.embed_positions.weight"),
    encoder: layers("encoder").map((layer) => ({
      attention: attention(layer, "self_attn"),
      feedForward: feedForward(layer),
    })),
    encoderNorm: norm("encoder.layer_norm"),
    embedding: { values: tensor("decoder.embed_tokens.weight") },
    decoderPositions: tensor("decoder.embed_positions.weight"),
    decoder: layers("decoder").map((layer) => ({
      selfAttention: attention(layer, "self_attn"),
      crossAttention: attention(layer, "encoder_attn"),
      feedForward: feedForward(layer),
    })),
    decoderNorm: norm("decoder.layer_norm"),
    logits: { weight: { values: tensor("decoder.embed_tokens.weight") } },
  }
}
