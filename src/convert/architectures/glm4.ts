import { configNumber } from "../source/config"
import type { TextArchitecture } from "./architecture"
import { ropeParameters } from "./rope"

/** Its tokenizer names no roles: these tokens have them. */
const ROLES = [
  ["eos", "<|endoftext|>"],
  ["eot", "<|user|>"],
  ["unknown", "<|endoftext|>"],
  ["bos", "<|endoftext|>"],
] as const

export const glm4: TextArchitecture = {
  classes: ["Glm4ForCausalLM"],
  name: "glm4",
  tokenizers: ["bpe"],
  defaults: { rms_norm_eps: 1.5625e-7, rope_theta: 10_000, partial_rotary_factor: 0.5 },
  names: {
    post_self_attn_layernorm: "post_attention_norm",
    post_mlp_layernorm: "post_ffw_norm",
  },
  fields(fields, { name, config }) {
    const part = configNumber(config, ropeParameters(config).values, "partial_rotary_factor") ?? 0.5
    fields.u32(`${name}.rope.dimension_count`, Math.trunc(config.headSize * part))
  },
  tokenizerFields(fields, { tokenId }) {
    for (const [role, text] of ROLES) {
      const key = `tokenizer.ggml.${role}_token_id`
      if (fields.get(key) === undefined) fields.u32(key, tokenId(text))
    }
  },
}
