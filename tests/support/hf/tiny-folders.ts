import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { mulberry } from "../files/mulberry"
import { type DenseTensor, writeDenseSafetensors } from "./dense-safetensors"
import {
  BYTE_PAIR_IDS,
  bytePairTokenizer,
  PIECE_IDS,
  pieceTokenizer,
  type TokenizerFileSet,
  UNIGRAM_IDS,
  unigramTokenizer,
  WORD_PIECE_IDS,
  wordPieceTokenizer,
  writeAll,
} from "./tiny-tokenizers"

/** A model of a few layers with random weights, as Hugging Face publishes them. */
export interface TinyFolder {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: readonly DenseTensor[]
  readonly tokenizer: TokenizerFileSet
  readonly files?: TokenizerFileSet
}

/** Sizes: hidden, inner, layers, heads, of keys and values, size of a head, experts. */
const D = 64
const F = 128
const L = 2
const H = 4
const KV = 2
const HD = 16
const E = 4

interface Shapes {
  readonly tokens: number
  readonly seed: number
  readonly head?: boolean
  readonly headSize?: number
  readonly bias?: boolean
  readonly queryNorms?: boolean
  readonly mlp?: "dense" | "fused" | "mixtral" | "experts" | "shared" | "stacked"
  readonly fused?: boolean
  readonly norms?: readonly string[]
}

const TWO_NORMS = ["input_layernorm", "post_attention_layernorm"]
const FOUR_NORMS = [...TWO_NORMS, "pre_feedforward_layernorm", "post_feedforward_layernorm"]

/** Random tensors in the order of their names, as files have them. */
class Tensors {
  readonly #random: () => number
  readonly #tensors: DenseTensor[] = []

  constructor(seed: number) {
    this.#random = mulberry(seed)
  }

  add(name: string, ...shape: readonly number[]): this {
    const isNorm = shape.length === 1 && name.includes("norm")
    const length = shape.reduce((product, size) => product * size, 1)
    const values = Float32Array.from({ length }, () => (this.#random() - 0.5) * 0.25 + (isNorm ? 1 : 0))
    this.#tensors.push({ name, shape, values })
    return this
  }

  get all(): readonly DenseTensor[] {
    return [...this.#tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

function decoder(shapes: Shapes): readonly DenseTensor[] {
  const { tokens, seed, head = true, headSize = HD, bias = false, queryNorms = false } = shapes
  const { mlp = "dense", fused = false, norms = TWO_NORMS } = shapes
  const t = new Tensors(seed)
  t.add("model.embed_tokens.weight", tokens, D).add("model.norm.weight", D)
  if (head) t.add("lm_head.weight", tokens, D)
  for (let layer = 0; layer < L; layer++) {
    const p = `model.layers.${layer}.`
    if (fused) t.add(`${p}self_attn.qkv_proj.weight`, (H + 2 * KV) * headSize, D)
    else
      for (const [name, heads] of [
        ["q", H],
        ["k", KV],
        ["v", KV],
      ] as const) {
        t.add(`${p}self_attn.${name}_proj.weight`, heads * headSize, D)
        if (bias) t.add(`${p}self_attn.${name}_proj.bias`, heads * headSize)
      }
    t.add(`${p}self_attn.o_proj.weight`, D, H * headSize)
    if (queryNorms) for (const name of ["q", "k"]) t.add(`${p}self_attn.${name}_norm.weight`, headSize)
    for (const norm of norms) t.add(`${p}${norm}.weight`, D)
    addMlp(t, p, mlp)
  }
  return t.all
}

function addMlp(t: Tensors, p: string, mlp: NonNullable<Shapes["mlp"]>): void {
  const inner = 32
  switch (mlp) {
    case "dense":
      for (const name of ["gate", "up"]) t.add(`${p}mlp.${name}_proj.weight`, F, D)
      t.add(`${p}mlp.down_proj.weight`, D, F)
      return
    case "fused":
      t.add(`${p}mlp.gate_up_proj.weight`, 2 * F, D).add(`${p}mlp.down_proj.weight`, D, F)
      return
    case "mixtral":
      t.add(`${p}block_sparse_moe.gate.weight`, E, D)
      for (let expert = 0; expert < E; expert++) {
        const q = `${p}block_sparse_moe.experts.${expert}.`
        t.add(`${q}w1.weight`, F, D).add(`${q}w2.weight`, D, F).add(`${q}w3.weight`, F, D)
      }
      return
    case "stacked":
      t.add(`${p}mlp.gate.weight`, E, D)
      t.add(`${p}mlp.experts.gate_up_proj`, E, 2 * inner, D).add(`${p}mlp.experts.down_proj`, E, D, inner)
      return
    case "experts":
    case "shared":
      t.add(`${p}mlp.gate.weight`, E, D)
      for (let expert = 0; expert < E; expert++) {
        const q = `${p}mlp.experts.${expert}.`
        t.add(`${q}gate_proj.weight`, inner, D).add(`${q}up_proj.weight`, inner, D)
        t.add(`${q}down_proj.weight`, D, inner)
      }
      if (mlp === "experts") return
      for (const name of ["gate", "up"]) t.add(`${p}mlp.shared_expert.${name}_proj.weight`, F, D)
      t.add(`${p}mlp.shared_expert.down_proj.weight`, D, F).add(`${p}mlp.shared_expert_gate.weight`, 1, D)
  }
}

function base(
  architecture: string,
  type: string,
  tokens: number,
  more: Readonly<Record<string, unknown>> = {},
) {
  return {
    architectures: [architecture],
    model_type: type,
    vocab_size: tokens,
    hidden_size: D,
    intermediate_size: F,
    num_hidden_layers: L,
    num_attention_heads: H,
    num_key_value_heads: KV,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    hidden_act: "silu",
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    bos_token_id: 1,
    eos_token_id: 2,
    ...more,
  }
}

const BPE = BYTE_PAIR_IDS
const SPM = PIECE_IDS

function encoder(prefix: string, tokens: number, positions: number, types: number, seed: number): Tensors {
  const t = new Tensors(seed)
  t.add(`${prefix}embeddings.word_embeddings.weight`, tokens, D)
  t.add(`${prefix}embeddings.position_embeddings.weight`, positions, D)
  t.add(`${prefix}embeddings.token_type_embeddings.weight`, types, D)
  const norm = (name: string) => t.add(`${prefix}${name}.weight`, D).add(`${prefix}${name}.bias`, D)
  const linear = (name: string, rows: number, columns: number) =>
    t.add(`${prefix}${name}.weight`, rows, columns).add(`${prefix}${name}.bias`, rows)
  norm("embeddings.LayerNorm")
  for (let layer = 0; layer < L; layer++) {
    const p = `encoder.layer.${layer}.`
    for (const name of ["query", "key", "value"]) linear(`${p}attention.self.${name}`, D, D)
    linear(`${p}attention.output.dense`, D, D)
    norm(`${p}attention.output.LayerNorm`)
    linear(`${p}intermediate.dense`, F, D)
    linear(`${p}output.dense`, D, F)
    norm(`${p}output.LayerNorm`)
  }
  linear("pooler.dense", D, D)
  return t
}

const BERT = { hidden_act: "gelu", layer_norm_eps: 1e-12, type_vocab_size: 2, pad_token_id: 0 }
const MEAN_POOLING = {
  "modules.json": JSON.stringify([
    { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
    { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
  ]),
  "1_Pooling/config.json": JSON.stringify({ word_embedding_dimension: D, pooling_mode_mean_tokens: true }),
}

const CARD = `---
license: apache-2.0
language:
- en
- no
base_model: some-org/Base-Model-7B-v1.2
tags:
- test
datasets: some-org/texts
pipeline_tag: text-generation
---
# A model
`

function nomic(): Tensors {
  const t = new Tensors(71)
  t.add("embeddings.word_embeddings.weight", WORD_PIECE_IDS, D).add(
    "embeddings.token_type_embeddings.weight",
    2,
    D,
  )
  t.add("emb_ln.weight", D).add("emb_ln.bias", D)
  for (let layer = 0; layer < L; layer++) {
    const p = `encoder.layers.${layer}.`
    t.add(`${p}attn.Wqkv.weight`, 3 * D, D).add(`${p}attn.out_proj.weight`, D, D)
    for (const name of ["norm1", "norm2"]) t.add(`${p}${name}.weight`, D).add(`${p}${name}.bias`, D)
    for (const name of ["fc11", "fc12"]) t.add(`${p}mlp.${name}.weight`, F, D)
    t.add(`${p}mlp.fc2.weight`, D, F)
  }
  return t
}

/** A model for each architecture, and for each of the special cases. */
export const TINY_FOLDERS: Readonly<Record<string, () => TinyFolder>> = {
  llama: () => ({
    config: base("LlamaForCausalLM", "llama", BPE),
    tensors: decoder({ tokens: BPE, seed: 1, bias: true }),
    tokenizer: bytePairTokenizer(),
    files: {
      "README.md": CARD,
      "generation_config.json": JSON.stringify({ temperature: 0.6, top_k: 20, top_p: 0.95, do_sample: true }),
    },
  }),
  "llama-rope3": () => ({
    config: base("LlamaForCausalLM", "llama", BPE, {
      rope_theta: 500_000,
      tie_word_embeddings: true,
      rope_scaling: {
        rope_type: "llama3",
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    }),
    tensors: decoder({ tokens: BPE, seed: 2, head: false }),
    tokenizer: bytePairTokenizer(),
  }),
  mistral: () => ({
    config: base("MistralForCausalLM", "mistral", SPM, { sliding_window: null, head_dim: HD }),
    tensors: decoder({ tokens: SPM, seed: 3 }),
    tokenizer: pieceTokenizer(),
  }),
  mixtral: () => ({
    config: base("MixtralForCausalLM", "mixtral", SPM, { num_local_experts: E, num_experts_per_tok: 2 }),
    tensors: decoder({ tokens: SPM, seed: 4, mlp: "mixtral" }),
    tokenizer: pieceTokenizer(),
  }),
  smollm3: () => ({
    config: base("SmolLM3ForCausalLM", "smollm3", BPE, { tie_word_embeddings: true }),
    tensors: decoder({ tokens: BPE, seed: 5, head: false }),
    tokenizer: bytePairTokenizer(),
  }),
  granite: () => ({
    config: base("GraniteForCausalLM", "granite", BPE, {
      attention_multiplier: 0.125,
      embedding_multiplier: 12,
      residual_multiplier: 0.22,
      logits_scaling: 8,
    }),
    tensors: decoder({ tokens: BPE, seed: 6 }),
    tokenizer: bytePairTokenizer(),
  }),
  qwen2: () => ({
    config: base("Qwen2ForCausalLM", "qwen2", BPE, {
      tie_word_embeddings: true,
      rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 128 },
    }),
    tensors: decoder({ tokens: BPE, seed: 7, head: false, bias: true }),
    tokenizer: bytePairTokenizer(),
  }),
  qwen2moe: () => ({
    config: base("Qwen2MoeForCausalLM", "qwen2_moe", BPE, {
      num_experts: E,
      num_experts_per_tok: 2,
      moe_intermediate_size: 32,
      shared_expert_intermediate_size: F,
    }),
    tensors: decoder({ tokens: BPE, seed: 8, bias: true, mlp: "shared" }),
    tokenizer: bytePairTokenizer(),
  }),
  qwen3: () => ({
    config: base("Qwen3ForCausalLM", "qwen3", BPE, { tie_word_embeddings: true, head_dim: 32 }),
    tensors: decoder({ tokens: BPE, seed: 9, head: false, headSize: 32, queryNorms: true }),
    tokenizer: bytePairTokenizer(),
  }),
  "qwen3-embedding": () => ({
    config: base("Qwen3ForCausalLM", "qwen3", BPE, { tie_word_embeddings: true, head_dim: 32 }),
    tensors: decoder({ tokens: BPE, seed: 10, head: false, headSize: 32, queryNorms: true }),
    tokenizer: bytePairTokenizer(),
    files: MEAN_POOLING,
  }),
  "qwen3-reranker": () => ({
    config: base("Qwen3ForCausalLM", "qwen3", BPE, { tie_word_embeddings: true, head_dim: 32 }),
    tensors: decoder({ tokens: BPE, seed: 11, head: false, headSize: 32, queryNorms: true }),
    tokenizer: bytePairTokenizer(),
    files: { "README.md": "# Qwen3-Reranker-0.6B\n" },
  }),
  qwen3moe: () => ({
    config: base("Qwen3MoeForCausalLM", "qwen3_moe", BPE, {
      num_experts: E,
      num_experts_per_tok: 2,
      moe_intermediate_size: 32,
      norm_topk_prob: true,
      head_dim: 32,
    }),
    tensors: decoder({ tokens: BPE, seed: 12, headSize: 32, queryNorms: true, mlp: "experts" }),
    tokenizer: bytePairTokenizer(),
  }),
  "qwen3moe-stacked": () => ({
    config: base("Qwen3MoeForCausalLM", "qwen3_moe", BPE, {
      num_experts: E,
      num_experts_per_tok: 2,
      moe_intermediate_size: 32,
      norm_topk_prob: true,
      head_dim: 32,
    }),
    tensors: decoder({ tokens: BPE, seed: 13, headSize: 32, queryNorms: true, mlp: "stacked" }),
    tokenizer: bytePairTokenizer(),
  }),
  gemma2: () => ({
    config: base("Gemma2ForCausalLM", "gemma2", SPM, {
      head_dim: 32,
      attn_logit_softcapping: 50,
      final_logit_softcapping: 30,
      sliding_window: 128,
      query_pre_attn_scalar: 32,
      hidden_activation: "gelu_pytorch_tanh",
      tie_word_embeddings: true,
    }),
    tensors: decoder({ tokens: SPM, seed: 14, headSize: 32, norms: FOUR_NORMS }),
    tokenizer: pieceTokenizer(),
  }),
  gemma3: () => ({
    config: base("Gemma3ForCausalLM", "gemma3_text", SPM, {
      head_dim: 32,
      sliding_window: 128,
      query_pre_attn_scalar: 32,
      rope_local_base_freq: 10_000,
      rope_theta: 1_000_000,
      hidden_activation: "gelu_pytorch_tanh",
      tie_word_embeddings: true,
    }),
    // A few rows more than the vocabulary.
    tensors: decoder({
      tokens: SPM + 4,
      seed: 15,
      head: false,
      headSize: 32,
      queryNorms: true,
      norms: FOUR_NORMS,
    }),
    tokenizer: pieceTokenizer(),
  }),
  phi3: () => ({
    config: base("Phi3ForCausalLM", "phi3", SPM, {
      original_max_position_embeddings: 512,
      sliding_window: 256,
      pad_token_id: 0,
      rms_norm_eps: 1e-5,
    }),
    tensors: decoder({ tokens: SPM, seed: 16, fused: true, mlp: "fused" }),
    tokenizer: pieceTokenizer(),
  }),
  "phi3-long": () => ({
    config: base("Phi3ForCausalLM", "phi3", BPE, {
      original_max_position_embeddings: 512,
      max_position_embeddings: 4096,
      sliding_window: null,
      pad_token_id: 0,
      rms_norm_eps: 1e-5,
      tie_word_embeddings: true,
      rope_scaling: {
        type: "longrope",
        long_factor: Array.from({ length: HD / 2 }, (_, index) => 1 + index / 3),
        short_factor: Array.from({ length: HD / 2 }, (_, index) => 1 + index / 7),
      },
    }),
    tensors: decoder({ tokens: BPE, seed: 17, fused: true, mlp: "fused", head: false }),
    tokenizer: bytePairTokenizer("GPT2Tokenizer"),
  }),
  bert: () => ({
    config: base("BertModel", "bert", WORD_PIECE_IDS, {
      ...BERT,
      rms_norm_eps: undefined,
      rope_theta: undefined,
      num_key_value_heads: undefined,
    }),
    tensors: encoder("", WORD_PIECE_IDS, 512, 2, 18).all,
    tokenizer: wordPieceTokenizer(),
    files: MEAN_POOLING,
  }),
  roberta: () => ({
    config: base("RobertaModel", "roberta", BPE, {
      ...BERT,
      layer_norm_eps: 1e-5,
      pad_token_id: 1,
      type_vocab_size: 1,
      max_position_embeddings: 514,
      rms_norm_eps: undefined,
      rope_theta: undefined,
      num_key_value_heads: undefined,
    }),
    tensors: encoder("roberta.", BPE, 514, 1, 19).all,
    tokenizer: bytePairTokenizer(),
  }),
  "xlm-roberta": () => ({
    config: base("XLMRobertaModel", "xlm-roberta", UNIGRAM_IDS, {
      ...BERT,
      layer_norm_eps: 1e-5,
      pad_token_id: 1,
      type_vocab_size: 1,
      max_position_embeddings: 514,
      rms_norm_eps: undefined,
      rope_theta: undefined,
      num_key_value_heads: undefined,
    }),
    tensors: encoder("", UNIGRAM_IDS, 514, 1, 20).all,
    tokenizer: unigramTokenizer(),
  }),
  "nomic-bert": () => ({
    config: {
      architectures: ["NomicBertModel"],
      model_type: "nomic_bert",
      vocab_size: WORD_PIECE_IDS,
      n_embd: D,
      n_inner: F,
      n_layer: L,
      n_head: H,
      n_positions: 8192,
      max_trained_positions: 2048,
      layer_norm_epsilon: 1e-12,
      activation_function: "swiglu",
      causal: false,
      qkv_proj_bias: false,
      mlp_fc1_bias: false,
      mlp_fc2_bias: false,
      prenorm: false,
      rotary_emb_fraction: 1,
      rotary_emb_base: 1000,
      rotary_emb_interleaved: false,
      rotary_emb_scale_base: null,
      type_vocab_size: 2,
    },
    tensors: nomic().all,
    tokenizer: wordPieceTokenizer(),
    files: MEAN_POOLING,
  }),
  olmo2: () => ({
    config: base("Olmo2ForCausalLM", "olmo2", BPE),
    tensors: decoder({
      tokens: BPE,
      seed: 31,
      norms: ["post_attention_layernorm", "post_feedforward_layernorm"],
    }).concat(fullNorms(32)),
    tokenizer: bytePairTokenizer(),
  }),
  glm4: () => ({
    config: base("Glm4ForCausalLM", "glm4", BPE, { head_dim: HD, partial_rotary_factor: 0.5 }),
    tensors: decoder({
      tokens: BPE,
      seed: 33,
      mlp: "fused",
      norms: [...TWO_NORMS, "post_self_attn_layernorm", "post_mlp_layernorm"],
    }),
    tokenizer: bytePairTokenizer("PreTrainedTokenizerFast", ["<|endoftext|>", "<|user|>"]),
  }),
  lfm2: () => ({
    config: base("Lfm2ForCausalLM", "lfm2", BPE, {
      layer_types: ["conv", "full_attention"],
      norm_eps: 1e-5,
      rms_norm_eps: undefined,
      conv_L_cache: 3,
      conv_bias: false,
      block_auto_adjust_ff_dim: true,
      block_ff_dim: 160,
      block_ffn_dim_multiplier: 1,
      block_multiple_of: 32,
      tie_word_embeddings: true,
    }),
    tensors: lfm2(34),
    tokenizer: bytePairTokenizer(),
  }),
  deepseek2: () => ({
    config: base("DeepseekV2ForCausalLM", "deepseek_v2", BPE, {
      q_lora_rank: 24,
      kv_lora_rank: 16,
      qk_nope_head_dim: 16,
      qk_rope_head_dim: 8,
      v_head_dim: 12,
      n_routed_experts: E,
      n_shared_experts: 1,
      num_experts_per_tok: 2,
      moe_intermediate_size: 32,
      first_k_dense_replace: 1,
      routed_scaling_factor: 1.5,
      norm_topk_prob: false,
      num_key_value_heads: H,
      rope_scaling: {
        type: "yarn",
        factor: 4,
        original_max_position_embeddings: 128,
        mscale: 0.707,
        mscale_all_dim: 0.707,
        beta_fast: 32,
        beta_slow: 1,
      },
    }),
    tensors: deepseek(35),
    tokenizer: bytePairTokenizer(),
  }),
}

/** Norms over all heads at once. */
function fullNorms(seed: number): readonly DenseTensor[] {
  const t = new Tensors(seed)
  for (let layer = 0; layer < L; layer++)
    t.add(`model.layers.${layer}.self_attn.q_norm.weight`, H * HD).add(
      `model.layers.${layer}.self_attn.k_norm.weight`,
      KV * HD,
    )
  return t.all
}

function lfm2(seed: number): readonly DenseTensor[] {
  const t = new Tensors(seed)
  t.add("model.embed_tokens.weight", BPE, D).add("model.embedding_norm.weight", D)
  for (let layer = 0; layer < L; layer++) {
    const p = `model.layers.${layer}.`
    t.add(`${p}operator_norm.weight`, D).add(`${p}ffn_norm.weight`, D)
    if (layer === 0) {
      t.add(`${p}conv.conv.weight`, D, 1, 3).add(`${p}conv.in_proj.weight`, 3 * D, D)
      t.add(`${p}conv.out_proj.weight`, D, D)
    } else {
      for (const [name, heads] of [
        ["q", H],
        ["k", KV],
        ["v", KV],
      ] as const)
        t.add(`${p}self_attn.${name}_proj.weight`, heads * HD, D)
      t.add(`${p}self_attn.out_proj.weight`, D, H * HD)
      for (const name of ["q", "k"]) t.add(`${p}self_attn.${name}_layernorm.weight`, HD)
    }
    t.add(`${p}feed_forward.w1.weight`, F, D).add(`${p}feed_forward.w3.weight`, F, D)
    t.add(`${p}feed_forward.w2.weight`, D, F)
  }
  return t.all
}

function deepseek(seed: number): readonly DenseTensor[] {
  const t = new Tensors(seed)
  t.add("model.embed_tokens.weight", BPE, D).add("model.norm.weight", D).add("lm_head.weight", BPE, D)
  for (let layer = 0; layer < L; layer++) {
    const p = `model.layers.${layer}.`
    for (const norm of TWO_NORMS) t.add(`${p}${norm}.weight`, D)
    t.add(`${p}self_attn.q_a_proj.weight`, 24, D).add(`${p}self_attn.q_a_layernorm.weight`, 24)
    t.add(`${p}self_attn.q_b_proj.weight`, H * 24, 24)
    t.add(`${p}self_attn.kv_a_proj_with_mqa.weight`, 24, D).add(`${p}self_attn.kv_a_layernorm.weight`, 16)
    t.add(`${p}self_attn.kv_b_proj.weight`, H * 28, 16).add(`${p}self_attn.o_proj.weight`, D, H * 12)
    if (layer === 0) {
      addMlp(t, p, "dense")
      continue
    }
    addMlp(t, p, "experts")
    for (const name of ["gate", "up"]) t.add(`${p}mlp.shared_experts.${name}_proj.weight`, 32, D)
    t.add(`${p}mlp.shared_experts.down_proj.weight`, D, 32)
  }
  return t.all
}

/** Writes one of {@link TINY_FOLDERS}. */
export function writeTinyFolder(folder: string, tiny: TinyFolder): string {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "config.json"), JSON.stringify(tiny.config, undefined, 1))
  writeDenseSafetensors(join(folder, "model.safetensors"), tiny.tensors)
  writeAll(folder, tiny.tokenizer)
  for (const [name, content] of Object.entries(tiny.files ?? {})) {
    mkdirSync(join(folder, name, ".."), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}
