import { configNumber } from "../source/config"
import { joined, sliced, transposed } from "../tensors/values"
import type { ConversionFacts, NamedValues, TextArchitecture } from "./architecture"
import { setHeadSize } from "./common"
import { ropeParameters } from "./rope"

/** DeepSeek V2 and V3: attention with compressed keys and values, and mixtures of experts. */
export const deepseek2: TextArchitecture = {
  classes: ["DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"],
  name: "deepseek2",
  tokenizers: ["bpe"],
  defaults: { rms_norm_eps: 1e-6, rope_theta: 10_000 },
  names: {
    "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b",
    "mlp.gate.e_score_correction": "exp_probs_b",
  },
  // Layers beyond the model's own predict further tokens.
  rename(name, config) {
    const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1]
    if (layer !== undefined && Number(layer) >= config.layers) return undefined
    return name === "lm_head.weight" && config.flag("tie_word_embeddings") === true ? undefined : name
  },
  change: splitKeysAndValues,
  fields(fields, { name, config }) {
    const rank = config.optionalCount("kv_lora_rank") ?? 512
    const rotary = config.count("qk_rope_head_dim")
    const hasExperts = config.has("n_routed_experts")
    fields.u32(`${name}.attention.head_count_kv`, 1)
    fields.u32(
      `${name}.leading_dense_block_count`,
      config.optionalCount("first_k_dense_replace") ?? (hasExperts ? 0 : config.layers),
    )
    fields.u32(`${name}.vocab_size`, config.count("vocab_size"))
    fields.u32(`${name}.attention.q_lora_rank`, config.optionalCount("q_lora_rank"))
    fields.u32(`${name}.attention.kv_lora_rank`, rank)
    setHeadSize(fields, name, rank)
    fields.u32(`${name}.attention.key_length`, rank + rotary)
    fields.u32(`${name}.attention.key_length_mla`, config.count("qk_nope_head_dim") + rotary)
    fields.u32(`${name}.attention.value_length_mla`, config.count("v_head_dim"))
    fields.u32(
      `${name}.expert_feed_forward_length`,
      config.count("moe_intermediate_size", "intermediate_size"),
    )
    fields.u32(`${name}.expert_shared_count`, config.optionalCount("n_shared_experts") ?? 0)
    fields.f32(`${name}.expert_weights_scale`, config.optionalNumber("routed_scaling_factor"))
    if (config.flag("norm_topk_prob") === true) fields.flag(`${name}.expert_weights_norm`, true)
    fields.u32(`${name}.rope.dimension_count`, rotary)
    const scale = configNumber(config, ropeParameters(config).values, "mscale_all_dim")
    fields.f32(`${name}.rope.scaling.yarn_log_multiplier`, scale === undefined ? undefined : 0.1 * scale)
  },
}

/** The matrix that restores keys and values becomes two, that of the keys transposed. */
function splitKeysAndValues(
  { name, values }: NamedValues,
  { config }: ConversionFacts,
): readonly NamedValues[] {
  if (!name.endsWith(".attn_kv_b.weight")) return [{ name, values }]
  const heads = config.heads
  const [keys, own] = [config.count("qk_nope_head_dim"), config.count("v_head_dim")]
  const [rows = 0, columns = 0] = values.shape
  if (rows !== heads * (keys + own)) throw config.fail(`the tensor '${name}' has ${rows} rows`)
  const parts = (first: number, count: number) =>
    joined(
      Array.from({ length: heads }, (_, head) => {
        const from = head * (keys + own) + first
        return sliced(values, from, from + count)
      }),
      [heads, count, columns],
    )
  return [
    { name: name.replace("attn_kv_b", "attn_k_b"), values: transposed(parts(0, keys)) },
    { name: name.replace("attn_kv_b", "attn_v_b"), values: parts(keys, own) },
  ]
}
