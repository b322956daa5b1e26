import type { MetadataFields } from "../fields"
import { mapped, sliced } from "../tensors/values"
import type { TextArchitecture, ConversionFacts, NamedValues } from "./architecture"
import { setHeadSize } from "./common"
import { ropeParameters } from "./rope"

const NAMES = {
  post_attention_layernorm: "post_attention_norm",
  pre_feedforward_layernorm: "ffn_norm",
  post_feedforward_layernorm: "post_ffw_norm",
}

/** Gemma's norms multiply by one more than their weights. */
function withWholeNorms({ name, values }: NamedValues): NamedValues {
  return { name, values: name.endsWith("norm.weight") ? mapped(values, (value) => value + 1) : values }
}

/** Some quantizers add a head, which the embeddings are. */
function withoutHead(name: string): string | undefined {
  return name === "lm_head.weight" ? undefined : name
}

function withoutSpacePrefix(fields: MetadataFields): void {
  fields.flag("tokenizer.ggml.add_space_prefix", false)
}

/** The keys of the first two generations, which have fewer than others. */
function keepOldKeys(fields: MetadataFields, { name, config }: ConversionFacts): void {
  fields.remove(`${name}.rope.freq_base`)
  fields.u32(`${name}.attention.head_count_kv`, config.keyValueHeads)
  setHeadSize(fields, name, config.count("head_dim"))
}

export const gemma: TextArchitecture = {
  classes: ["GemmaForCausalLM"],
  name: "gemma",
  tokenizers: ["sentencepiece"],
  defaults: { rms_norm_eps: 1e-6, head_dim: 256 },
  rename: withoutHead,
  change: (tensor) => [withWholeNorms(tensor)],
  fields: keepOldKeys,
  tokenizerFields(fields) {
    for (const [key, id] of [
      ["prefix", 67],
      ["suffix", 69],
      ["middle", 68],
      ["eot", 107],
    ] as const)
      fields.u32(`tokenizer.ggml.${key}_token_id`, id)
    withoutSpacePrefix(fields)
  },
}

export const gemma2: TextArchitecture = {
  classes: ["Gemma2ForCausalLM"],
  name: "gemma2",
  tokenizers: ["sentencepiece"],
  defaults: {
    rms_norm_eps: 1e-6,
    head_dim: 256,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    sliding_window: 4096,
  },
  names: NAMES,
  rename: withoutHead,
  change: (tensor) => [withWholeNorms(tensor)],
  fields(fields, facts) {
    keepOldKeys(fields, facts)
    const { name, config } = facts
    fields.f32(`${name}.attn_logit_softcapping`, config.number("attn_logit_softcapping"))
    fields.f32(`${name}.final_logit_softcapping`, config.number("final_logit_softcapping"))
    fields.u32(`${name}.attention.sliding_window`, config.count("sliding_window"))
  },
  tokenizerFields: withoutSpacePrefix,
}

/** Also the text part of multimodal models. */
export const gemma3: TextArchitecture = {
  classes: ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"],
  name: "gemma3",
  tokenizers: ["sentencepiece", "bpe"],
  names: NAMES,
  defaults: {
    vocab_size: 262_208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    rope_local_base_freq: 10_000,
    sliding_window: 4096,
  },
  change(tensor, { tokens }) {
    const { name, values } = tensor
    const isCut = name === "token_embd.weight" && (values.shape[0] ?? 0) > tokens
    return [isCut ? { name, values: sliced(values, 0, tokens) } : withWholeNorms(tensor)]
  },
  fields(fields, { name, config }) {
    fields.f32(`${name}.rope.freq_base`, ropeParameters(config).theta ?? 1_000_000)
    if (config.has("attn_logit_softcapping"))
      throw config.fail("'attn_logit_softcapping' is not known to this architecture")
    fields.f32(`${name}.final_logit_softcapping`, config.optionalNumber("final_logit_softcapping"))
    if (config.optionalCount("sliding_window_pattern") !== 1)
      fields.u32(`${name}.attention.sliding_window`, config.count("sliding_window"))
  },
  tokenizerFields(fields) {
    const model = fields.get("tokenizer.ggml.model")
    if (model?.type === "string" && model.value === "llama") withoutSpacePrefix(fields)
  },
}
