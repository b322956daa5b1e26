import { reshaped } from "../tensors/values"
import type { TextArchitecture } from "./architecture"

/** LFM2: layers of attention, and of short convolutions. */
export const lfm2: TextArchitecture = {
  classes: ["Lfm2ForCausalLM", "LFM2ForCausalLM"],
  name: "lfm2",
  tokenizers: ["bpe"],
  defaults: {
    norm_eps: 1e-5,
    rope_theta: 1_000_000,
    conv_L_cache: 3,
    block_auto_adjust_ff_dim: true,
    block_ffn_dim_multiplier: 1,
    block_multiple_of: 256,
  },
  names: {
    "model.embedding_norm": "token_embd_norm",
    operator_norm: "attn_norm",
    ffn_norm: "ffn_norm",
    "self_attn.out_proj": "attn_output",
    "self_attn.q_layernorm": "attn_q_norm",
    "self_attn.k_layernorm": "attn_k_norm",
    "conv.conv": "shortconv.conv",
    "conv.in_proj": "shortconv.in_proj",
    "conv.out_proj": "shortconv.out_proj",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
  },
  change({ name, values }) {
    const [channels = 0, one, width = 0] = values.shape
    const isConvolution = name.endsWith(".shortconv.conv.weight") && values.shape.length === 3 && one === 1
    return [{ name, values: isConvolution ? reshaped(values, [channels, width]) : values }]
  },
  fields(fields, { name, config }) {
    const heads = config.keyValueHeads
    const types = config.texts("layer_types")
    fields.i32s(
      `${name}.attention.head_count_kv`,
      Array.from({ length: config.layers }, (_, layer) => (types[layer] === "conv" ? 0 : heads)),
    )
    fields.u32(`${name}.vocab_size`, config.count("vocab_size"))
    fields.u32(`${name}.shortconv.l_cache`, config.count("conv_L_cache"))
    fields.f32(`${name}.attention.layer_norm_rms_epsilon`, config.number("norm_eps"))
    let inner = config.count("block_ff_dim", "intermediate_size")
    if (config.flag("block_auto_adjust_ff_dim") === true) {
      const multiple = config.count("block_multiple_of")
      inner = Math.trunc((2 * inner) / 3)
      inner = Math.trunc((config.optionalNumber("block_ffn_dim_multiplier") ?? 1) * inner)
      inner = multiple * Math.floor((inner + multiple - 1) / multiple)
    }
    fields.u32(`${name}.feed_forward_length`, inner)
  },
}
