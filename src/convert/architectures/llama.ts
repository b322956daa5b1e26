import type { MetadataFields } from "../fields"
import type { HfConfig } from "../source/config"
import type { TextArchitecture, ConversionFacts } from "./architecture"
import { setHeadSize, withPairedHeads } from "./common"
import { llama3Factors } from "./rope"

/** Code Llama's tokens for filling in the middle, by the size of its vocabulary. */
const CODE_LLAMA = { tokens: 32_016, prefix: 32_007, suffix: 32_008, middle: 32_009, eot: 32_010 }
/** Small Granite and SmolLM models have so many tokens, and no token at the start of texts. */
const WITHOUT_BOS = 49_152

const TOKENIZERS = ["sentencepiece", "spm-json", "bpe"] as const

const shared = {
  tokenizers: TOKENIZERS,
  rename: (name: string) => name.replace("text_model.", ""),
  change: (tensor, { config }) => [withPairedHeads(tensor, config)],
  extra: llama3Factors,
  tokenizerFields(fields, { config }) {
    const tokens = config.optionalCount("vocab_size")
    if (tokens === CODE_LLAMA.tokens) {
      fields.u32("tokenizer.ggml.prefix_token_id", CODE_LLAMA.prefix)
      fields.u32("tokenizer.ggml.suffix_token_id", CODE_LLAMA.suffix)
      fields.u32("tokenizer.ggml.middle_token_id", CODE_LLAMA.middle)
      fields.u32("tokenizer.ggml.eot_token_id", CODE_LLAMA.eot)
    }
    if (tokens === WITHOUT_BOS) fields.flag("tokenizer.ggml.add_bos_token", false)
  },
} satisfies Partial<TextArchitecture>

function setLlamaFields(fields: MetadataFields, { name, config }: ConversionFacts): void {
  fields.u32(`${name}.vocab_size`, config.count("vocab_size"))
  fields.u32(`${name}.rope.dimension_count`, config.headSize)
}

/** Llama 1 to 3, and the many models that have its form. */
export const llama: TextArchitecture = {
  ...shared,
  classes: ["LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", "IQuestCoderForCausalLM"],
  name: "llama",
  // transformers' classes compute the size of a head where config.json does not give it.
  fields(fields, facts) {
    setHeadSize(fields, facts.name, facts.config.headSize)
    setLlamaFields(fields, facts)
  },
  defaults: { rms_norm_eps: 1e-6, rope_theta: 10_000, max_position_embeddings: 2048 },
}

/** Mixtral: its experts are stacked by what is common to all. */
export const mixtral: TextArchitecture = {
  ...shared,
  classes: ["MixtralForCausalLM"],
  name: "llama",
  fields: setLlamaFields,
  defaults: { rms_norm_eps: 1e-5, rope_theta: 1_000_000, num_local_experts: 8, num_experts_per_tok: 2 },
}

export const smollm3: TextArchitecture = {
  ...shared,
  classes: ["SmolLM3ForCausalLM"],
  name: "smollm3",
  fields: setLlamaFields,
  defaults: { rms_norm_eps: 1e-6, rope_theta: 2_000_000 },
}

export const granite: TextArchitecture = {
  ...shared,
  classes: ["GraniteForCausalLM"],
  name: "granite",
  defaults: { rms_norm_eps: 1e-6, rope_theta: 10_000 },
  fields(fields, facts) {
    const { config, name } = facts
    // Its classes do not know sizes of heads.
    for (const key of ["key_length", "value_length"]) fields.remove(`${name}.attention.${key}`)
    fields.u32(`${name}.vocab_size`, config.count("vocab_size"))
    fields.u32(`${name}.rope.dimension_count`, Math.floor(config.count("hidden_size") / config.heads))
    const scale = (key: string, from: string) => fields.f32(`${name}.${key}`, nonZero(config, from))
    scale("attention.scale", "attention_multiplier")
    scale("embedding_scale", "embedding_multiplier")
    scale("residual_scale", "residual_multiplier")
    scale("logit_scale", "logits_scaling")
  },
}

function nonZero(config: HfConfig, key: string): number | undefined {
  return config.optionalNumber(key) || undefined
}
