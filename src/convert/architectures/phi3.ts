import type { HfConfig } from "../source/config"
import { configNumber } from "../source/config"
import type { TextArchitecture } from "./architecture"
import { longFactors, ropeParameters } from "./rope"

/** Phi-3 and Phi-4-mini: queries, keys and values in one tensor, and so gates and ups. */
export const phi3: TextArchitecture = {
  classes: ["Phi3ForCausalLM", "Phi4ForCausalLM"],
  name: "phi3",
  tokenizers: ["sentencepiece", "bpe"],
  defaults: {
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    original_max_position_embeddings: 4096,
    max_position_embeddings: 4096,
  },
  extra: (config) => longFactors(config, rotaryDimensions(config) / 2),
  fields(fields, { name, config }) {
    // The reference writes these keys, and no others of attention.
    for (const key of ["key_length", "value_length"]) fields.remove(`${name}.attention.${key}`)
    fields.remove(`${name}.rope.scaling.type`)
    fields.u32(`${name}.attention.head_count_kv`, config.keyValueHeads)
    fields.u32(`${name}.rope.scaling.original_context_length`, originalContext(config))
    fields.u32(`${name}.rope.dimension_count`, rotaryDimensions(config))
    // 0 marks models without a window, such as Phi-4.
    fields.u32(`${name}.attention.sliding_window`, config.optionalCount("sliding_window") ?? 0)
    fields.f32(`${name}.rope.scaling.attn_factor`, attentionFactor(config))
  },
}

function originalContext(config: HfConfig): number {
  const { values } = ropeParameters(config)
  return (
    configNumber(config, values, "original_max_position_embeddings") ??
    config.count("original_max_position_embeddings")
  )
}

function rotaryDimensions(config: HfConfig): number {
  const part = configNumber(config, ropeParameters(config).values, "partial_rotary_factor") ?? 1
  return Math.floor(Math.trunc(part * config.count("hidden_size")) / config.heads)
}

/** What attention is multiplied by where the context is longer than the one that the model was first trained with. */
function attentionFactor(config: HfConfig): number | undefined {
  const { values, type } = ropeParameters(config)
  if (!Array.isArray(values["long_factor"]) || values["long_factor"].length === 0) return undefined
  const original = originalContext(config)
  const scale = config.count("n_positions", "max_position_embeddings") / original
  if (type === "yarn") return scale > 1 ? 0.1 * Math.log(scale) + 1 : 1
  if (type === "longrope" || type === "su")
    return scale > 1 ? Math.sqrt(1 + Math.log(scale) / Math.log(original)) : 1
  throw config.fail(`positions are scaled by '${type ?? ""}', which is not known for lists of factors`)
}
