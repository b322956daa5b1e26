import type { MetadataFields } from "../fields"
import { joined, sliced } from "../tensors/values"
import type { TextArchitecture, ConversionFacts, NamedValues } from "./architecture"

const TOKENIZERS = ["sentencepiece", "bpe"] as const

function setPooling(fields: MetadataFields, { name, pooling }: ConversionFacts): void {
  fields.u32(`${name}.pooling_type`, pooling)
}

/** Models saved without a head have names without the first part. */
function withModel(name: string): string {
  return /^(?:embed_tokens|layers|norm)\./.test(name) ? `model.${name}` : name
}

export const qwen2: TextArchitecture = {
  classes: ["Qwen2ForCausalLM", "Qwen2Model"],
  name: "qwen2",
  tokenizers: TOKENIZERS,
  defaults: { rms_norm_eps: 1e-6, rope_theta: 10_000, num_key_value_heads: 32 },
  rename: withModel,
  fields: setPooling,
}

const RERANK_TEMPLATE =
  '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n' +
  "<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: {query}\n<Document>: {document}<|im_end|>\n" +
  "<|im_start|>assistant\n<think>\n\n</think>\n\n"
const RANK_POOLING = 4

/** Also Qwen3-Embedding, and Qwen3-Reranker, whose head has only the rows of `yes` and `no`. */
export const qwen3: TextArchitecture = {
  classes: ["Qwen3ForCausalLM", "Qwen3Model", "Qwen3ForSequenceClassification"],
  name: "qwen3",
  tokenizers: TOKENIZERS,
  defaults: { rms_norm_eps: 1e-6, rope_theta: 10_000, num_key_value_heads: 32, head_dim: 128 },
  rename: withModel,
  change(tensor, facts) {
    if (!facts.isReranker) return [tensor]
    const isTied = facts.config.flag("tie_word_embeddings") === true
    if (tensor.name !== (isTied ? "token_embd.weight" : "output.weight")) return [tensor]
    const head = rerankHead(tensor, facts)
    return isTied ? [head, tensor] : [head]
  },
  fields(fields, facts) {
    setPooling(fields, facts)
    if (!facts.isReranker) return
    fields.u32(`${facts.name}.pooling_type`, RANK_POOLING)
    fields.texts(`${facts.name}.classifier.output_labels`, ["yes", "no"])
    fields.text("tokenizer.chat_template.rerank", RERANK_TEMPLATE)
    fields.texts("tokenizer.chat_templates", ["rerank"])
  },
}

function rerankHead({ values }: NamedValues, { config, tokenId }: ConversionFacts): NamedValues {
  const [yes, no] = [tokenId("yes"), tokenId("no")]
  if (yes === undefined || no === undefined) throw config.fail("the vocabulary has no tokens 'yes' and 'no'")
  const rows = [yes, no].map((id) => sliced(values, id, id + 1))
  return { name: "cls.output.weight", values: joined(rows, [2, values.shape[1] ?? 0]) }
}

/** Experts in one tensor each, as newer checkpoints have them: gates and ups are in one too. */
export function splitExperts({ name, values }: NamedValues): readonly NamedValues[] {
  const [, layer] = /^blk\.(\d+)\.ffn_gate_up_exps\.weight$/.exec(name) ?? []
  if (layer === undefined) return [{ name, values }]
  const [experts = 0, rows = 0, columns = 0] = values.shape
  if (values.shape.length !== 3 || rows % 2 !== 0)
    throw new RangeError(`the tensor of gates and ups has the shape ${values.shape.join(" × ")}`)
  const half = rows / 2
  const part = (first: number) =>
    joined(
      Array.from({ length: experts }, (_, expert) => {
        const one = sliced(values, expert, expert + 1)
        return sliced({ ...one, shape: [rows, columns] }, first, first + half)
      }),
      [experts, half, columns],
    )
  return [
    { name: `blk.${layer}.ffn_gate_exps.weight`, values: part(0) },
    { name: `blk.${layer}.ffn_up_exps.weight`, values: part(half) },
  ]
}

/** Tensors of stacked experts lack the usual ending. */
function withEnding(name: string): string {
  return /mlp\.experts\.(?:gate_up_proj|down_proj)$/.test(name) ? `${name}.weight` : name
}

const mixture = {
  tokenizers: ["bpe"],
  names: { "mlp.experts.gate_up_proj": "ffn_gate_up_exps" },
  rename: withEnding,
  change: splitExperts,
} satisfies Partial<TextArchitecture>

export const qwen2moe: TextArchitecture = {
  ...mixture,
  classes: ["Qwen2MoeForCausalLM"],
  name: "qwen2moe",
  defaults: {
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    num_key_value_heads: 16,
    num_experts: 60,
    num_experts_per_tok: 4,
    moe_intermediate_size: 1408,
    shared_expert_intermediate_size: 5632,
  },
  fields(fields, { name, config }) {
    fields.u32(`${name}.expert_feed_forward_length`, config.optionalCount("moe_intermediate_size"))
    fields.u32(
      `${name}.expert_shared_feed_forward_length`,
      config.optionalCount("shared_expert_intermediate_size"),
    )
  },
}

export const qwen3moe: TextArchitecture = {
  ...mixture,
  classes: ["Qwen3MoeForCausalLM"],
  name: "qwen3moe",
  defaults: {
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    num_key_value_heads: 4,
    num_experts: 128,
    num_experts_per_tok: 8,
    moe_intermediate_size: 768,
  },
  fields(fields, { name, config }) {
    fields.u32(`${name}.expert_feed_forward_length`, config.optionalCount("moe_intermediate_size"))
  },
}
