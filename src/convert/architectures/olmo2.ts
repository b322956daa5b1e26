import type { TextArchitecture } from "./architecture"

/** OLMo 2 and 3: norms after attention and the feed-forward part. */
export const olmo2: TextArchitecture = {
  classes: ["Olmo2ForCausalLM", "Olmo3ForCausalLM"],
  name: "olmo2",
  tokenizers: ["bpe"],
  defaults: { rms_norm_eps: 1e-5, rope_theta: 10_000 },
  names: {
    post_attention_layernorm: "post_attention_norm",
    post_feedforward_layernorm: "post_ffw_norm",
  },
  fields(fields, { name, config }) {
    const window = config.optionalCount("sliding_window")
    if (window === undefined) return
    fields.u32(`${name}.attention.sliding_window`, window)
    const types = config.texts("layer_types")
    const isSliding = Array.from({ length: config.layers }, (_, layer) =>
      types.length > 0 ? types[layer] === "sliding_attention" : (layer + 1) % 4 !== 0,
    )
    fields.flags(`${name}.attention.sliding_window_pattern`, isSliding)
  },
}
