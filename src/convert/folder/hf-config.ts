import { CannotConvert } from "../../errors/convert"
import type { JsonRecord } from "../../lib/json"
import { llama3Factors } from "../architectures/rope"
import { HfConfig } from "../source/config"
import { toFloat32 } from "../tensors/floats"
import { elementsOf } from "../tensors/values"
import { type GgufSource, shortFloat } from "./gguf-source"

/** What transformers calls the models of an architecture. */
const CLASSES: Readonly<Record<string, readonly [className: string, type: string]>> = {
  llama: ["LlamaForCausalLM", "llama"],
  smollm3: ["SmolLM3ForCausalLM", "smollm3"],
  granite: ["GraniteForCausalLM", "granite"],
  qwen2: ["Qwen2ForCausalLM", "qwen2"],
  qwen3: ["Qwen3ForCausalLM", "qwen3"],
  gemma2: ["Gemma2ForCausalLM", "gemma2"],
  gemma3: ["Gemma3ForCausalLM", "gemma3_text"],
  phi3: ["Phi3ForCausalLM", "phi3"],
}

/** The class of an architecture that can be turned back. @throws CannotConvert */
export function className(source: GgufSource): string {
  const known = Object.hasOwn(CLASSES, source.architecture) ? CLASSES[source.architecture] : undefined
  if (known !== undefined && (source.own("expert_count") ?? 0) === 0) return known[0]
  throw new CannotConvert(
    source.path,
    `models of the architecture '${source.architecture}'${known === undefined ? "" : " with experts"} cannot be turned ` +
      `into a folder yet; those of ${Object.keys(CLASSES).sort().join(", ")} can`,
  )
}

/** config.json, from a GGUF's keys. `dtype`: that of the weights. @throws CannotConvert */
export async function hfConfig(source: GgufSource, dtype: string): Promise<JsonRecord> {
  const name = className(source)
  const { architecture } = source
  const isGemma = architecture.startsWith("gemma")
  const count = (key: string): number => {
    const value = source.own(key)
    if (value === undefined) throw new CannotConvert(source.path, `it has no '${architecture}.${key}'`)
    return value
  }
  const heads = count("attention.head_count")
  const hidden = count("embedding_length")
  const headSize = source.own("attention.key_length") ?? Math.floor(hidden / heads)
  const token = (role: string) => source.number(`tokenizer.ggml.${role}_token_id`)
  const scaling = await ropeScaling(source, headSize)
  return withoutUndefined({
    architectures: [name],
    model_type: CLASSES[architecture]?.[1],
    vocab_size: source.list("tokenizer.ggml.tokens").length,
    hidden_size: hidden,
    intermediate_size: count("feed_forward_length"),
    num_hidden_layers: count("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: source.own("attention.head_count_kv") ?? heads,
    head_dim: architecture !== "phi3" && architecture !== "granite" ? headSize : undefined,
    max_position_embeddings: count("context_length"),
    original_max_position_embeddings: source.own("rope.scaling.original_context_length"),
    rms_norm_eps: shortFloat(source.own("attention.layer_norm_rms_epsilon")),
    rope_theta: shortFloat(source.own("rope.freq_base") ?? 10_000),
    rope_local_base_freq:
      architecture === "gemma3" ? shortFloat(source.own("rope.freq_base_swa") ?? 10_000) : undefined,
    rope_scaling: scaling,
    sliding_window: source.own("attention.sliding_window") || undefined,
    attn_logit_softcapping: shortFloat(source.own("attn_logit_softcapping")),
    final_logit_softcapping: shortFloat(source.own("final_logit_softcapping")),
    query_pre_attn_scalar: isGemma ? headSize : undefined,
    attention_multiplier: shortFloat(source.own("attention.scale")),
    embedding_multiplier: shortFloat(source.own("embedding_scale")),
    residual_multiplier: shortFloat(source.own("residual_scale")),
    logits_scaling: shortFloat(source.own("logit_scale")),
    hidden_act: isGemma ? undefined : "silu",
    hidden_activation: isGemma ? "gelu_pytorch_tanh" : undefined,
    tie_word_embeddings: !source.has("output.weight"),
    attention_bias: ["llama", "granite", "smollm3"].includes(architecture)
      ? source.has("blk.0.attn_q.bias")
      : undefined,
    bos_token_id: token("bos"),
    eos_token_id: token("eos"),
    pad_token_id: token("padding"),
    torch_dtype: dtype,
  })
}

export function withoutUndefined(record: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

/** How positions are scaled: from keys, or Llama 3's from the tensor of its factors. */
async function ropeScaling(source: GgufSource, headSize: number): Promise<JsonRecord | undefined> {
  const type = source.text(`${source.architecture}.rope.scaling.type`)
  const factor = shortFloat(source.own("rope.scaling.factor"))
  const original = source.own("rope.scaling.original_context_length")
  if (type === "linear") return withoutUndefined({ rope_type: type, factor })
  if (type === "yarn")
    return withoutUndefined({ rope_type: type, factor, original_max_position_embeddings: original })
  const numbers = async (name: string) => {
    const tensor = source.tensors.find((each) => each.name === name)
    if (tensor === undefined) return undefined
    const values = tensor.values()
    return toFloat32(await values.read(0, elementsOf(values.shape)), values.type)
  }
  const [long, short] = [
    await numbers("rope_factors_long.weight"),
    await numbers("rope_factors_short.weight"),
  ]
  if (long !== undefined && short !== undefined)
    return {
      type: "longrope",
      long_factor: [...long].map(shortFloat),
      short_factor: [...short].map(shortFloat),
    }
  const factors = await numbers("rope_freqs.weight")
  return factors && (await llama3Scaling(source, factors, headSize))
}

/** The parameters that give these factors, among those that models are published with. @throws CannotConvert */
async function llama3Scaling(
  source: GgufSource,
  factors: Float32Array,
  headSize: number,
): Promise<JsonRecord> {
  const factor = factors.reduce((most, value) => Math.max(most, value), 1)
  for (const original_max_position_embeddings of [8192, 4096, 2048, 1024, 512, 256, 128, 64]) {
    const scaling = {
      rope_type: "llama3",
      factor,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings,
    }
    const config = new HfConfig(source.path, {
      head_dim: headSize,
      rope_theta: source.own("rope.freq_base") ?? 10_000,
      rope_scaling: scaling,
    })
    const [made] = llama3Factors(config)
    const values = made && toFloat32(await made.values.read(0, factors.length), "F32")
    if (values?.every((value, index) => value === factors[index]) === true) return scaling
  }
  throw new CannotConvert(source.path, "its factors of positions are none that a configuration can express")
}
