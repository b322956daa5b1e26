import type { MetadataFields } from "../fields"
import type { HfConfig } from "../source/config"
import { reordered, type TensorValues } from "../tensors/values"
import type { NamedValues } from "./architecture"
import { setRopeFields } from "./rope"

/** The keys that all architectures share, with those of the configuration that have other names elsewhere. */
export function setCommonFields(fields: MetadataFields, name: string, config: HfConfig): void {
  const key = (suffix: string) => `${name}.${suffix}`
  fields.u32(key("block_count"), config.layers)
  fields.u32(
    key("context_length"),
    config.optionalCount("max_position_embeddings", "n_ctx", "n_positions", "max_length"),
  )
  fields.u32(key("embedding_length"), config.count("hidden_size", "n_embd", "dim"))
  fields.u32(key("feed_forward_length"), config.optionalCount("intermediate_size", "n_inner", "hidden_dim"))
  fields.u32(key("attention.head_count"), config.heads)
  fields.u32(key("attention.head_count_kv"), config.optionalCount("num_key_value_heads", "n_kv_heads"))
  if (config.flag("is_causal") === false) fields.flag(key("attention.causal"), false)
  setRopeFields(fields, name, config)
  fields.f32(key("attention.layer_norm_rms_epsilon"), config.optionalNumber("rms_norm_eps", "norm_eps"))
  fields.f32(
    key("attention.layer_norm_epsilon"),
    config.optionalNumber("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
  )
  fields.u32(
    key("expert_count"),
    config.optionalCount("num_local_experts", "num_experts", "n_routed_experts"),
  )
  fields.u32(
    key("expert_used_count"),
    config.optionalCount("num_experts_per_tok", "num_experts_per_token", "top_k_experts"),
  )
  fields.u32(key("expert_group_count"), config.optionalCount("n_group"))
  fields.u32(key("expert_group_used_count"), config.optionalCount("topk_group"))
  const scoring = config.text("score_function", "scoring_func", "score_func")
  if (scoring !== undefined) {
    const number = ["softmax", "sigmoid"].indexOf(scoring) + 1
    if (number === 0) throw config.fail(`experts are chosen by '${scoring}', which is not known`)
    fields.u32(key("expert_gating_func"), number)
  }
  if (config.has("head_dim")) setHeadSize(fields, name, config.headSize)
}

export function setHeadSize(fields: MetadataFields, name: string, size: number): void {
  fields.u32(`${name}.attention.key_length`, size)
  fields.u32(`${name}.attention.value_length`, size)
}

/**
 * Undoes the order in which transformers keeps the rows of queries and keys for its rotary positions: in each head, the
 * two halves become pairs.
 */
export function pairedHeads(values: TensorValues, heads: number, config: HfConfig): TensorValues {
  const rows = values.shape[0] ?? 0
  const size = rows / heads
  if (!Number.isInteger(size / 2)) throw config.fail(`${rows} rows cannot be divided into ${heads} heads`)
  const half = size / 2
  return reordered(
    values,
    Array.from({ length: size }, (_, index) => (index % 2) * half + Math.floor(index / 2)),
  )
}

/** The opposite of {@link pairedHeads}. */
export function halvedHeads(values: TensorValues, heads: number): TensorValues {
  const size = (values.shape[0] ?? 0) / heads
  if (!Number.isInteger(size / 2)) throw new RangeError("the rows cannot be divided into heads")
  const half = size / 2
  return reordered(
    values,
    Array.from({ length: size }, (_, index) => (index % half) * 2 + Math.floor(index / half)),
  )
}

/** Queries and keys with {@link pairedHeads}. */
export function withPairedHeads(tensor: NamedValues, config: HfConfig): NamedValues {
  const isQuery = /\.attn_q\.(weight|bias)$/.test(tensor.name)
  if (!isQuery && !/\.attn_k\.(weight|bias)$/.test(tensor.name)) return tensor
  const heads = isQuery ? config.heads : config.keyValueHeads
  return { ...tensor, values: pairedHeads(tensor.values, heads, config) }
}
