import { type GgufEntry, type GgufTensor, writeGguf } from "./gguf-writer"
import { TensorMaker } from "./tiny-model"
import { tinyVocabulary } from "./tiny-vocabulary"

export interface TinyEmbedderOptions {
  /** `bert`: an encoder with a WordPiece vocabulary. `qwen3`: a decoder with byte pairs, that looks back only. */
  readonly architecture?: "bert" | "qwen3"
  /** Default: `mean` of BERT, `last` of Qwen 3. `rank`: with a head that gives a score. `null`: the file says nothing. */
  readonly pooling?: "mean" | "cls" | "last" | "rank" | null
  readonly contextLength?: number
  readonly seed?: number
  /** A template for pairs, of a model that ranks. */
  readonly rerankTemplate?: string
  /** All values are NaN for texts with this token. */
  readonly brokenToken?: number
  readonly name?: string
  /** Numbers in a vector; like `ffn`, a multiple of 32 with q8_0 weights. */
  readonly dim?: number
  readonly heads?: number
  readonly layers?: number
  readonly ffn?: number
  /** Tokens of `bert`; at least those of {@link WORD_PIECES}. */
  readonly vocabulary?: number
  readonly weights?: "f32" | "q8_0"
}

const DIM = 64

/** As all-MiniLM-L6-v2: what texts cost depends on this, and not on what the weights are. */
export const MINILM_SIZE = {
  dim: 384,
  heads: 12,
  layers: 6,
  ffn: 1536,
  vocabulary: 30_522,
  weights: "q8_0",
} as const satisfies Partial<TinyEmbedderOptions>

const POOLINGS = { mean: 1, cls: 2, last: 3, rank: 4 } as const

type Settings = Required<Omit<TinyEmbedderOptions, "pooling" | "rerankTemplate" | "brokenToken">> &
  Pick<TinyEmbedderOptions, "rerankTemplate" | "brokenToken"> & {
    readonly pooling: keyof typeof POOLINGS | null
  }

/** The length of its vectors. */
export const TINY_DIMENSIONS = DIM

/** The tokens of the WordPiece vocabulary, by their ids. */
export const WORD_PIECES: readonly string[] = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  ..."the a of and to in is it you that he was for on are with as his they be at one have this from".split(
    " ",
  ),
  ..."cat dog house tree river stone light dark sun moon red blue green small large old new".split(" "),
  ..."abcdefghijklmnopqrstuvwxyz0123456789.,!?".split("").filter((letter) => letter !== "a"),
  ..."abcdefghijklmnopqrstuvwxyz0123456789".split("").map((letter) => `##${letter}`),
]

/** Writes a small embedding model with random weights that llama.cpp can run: about 400 KB. */
export function writeTinyEmbedder(path: string, options: TinyEmbedderOptions = {}): void {
  const { architecture = "bert" } = options
  const settings: Settings = {
    contextLength: 512,
    seed: 1,
    name: "tiny-embedder",
    dim: DIM,
    heads: 4,
    layers: 2,
    ffn: 128,
    vocabulary: WORD_PIECES.length,
    weights: "f32",
    ...options,
    architecture,
    pooling: options.pooling === undefined ? (architecture === "bert" ? "mean" : "last") : options.pooling,
  }
  const isBert = architecture === "bert"
  writeGguf(
    path,
    [...generalEntries(settings), ...(isBert ? wordPieceEntries(settings) : bytePairEntries(settings))],
    isBert ? bertTensors(settings) : qwenTensors(settings),
  )
}

function generalEntries(s: Settings): GgufEntry[] {
  const arch = s.architecture
  const isBert = arch === "bert"
  return [
    ["general.architecture", "string", arch],
    ["general.name", "string", s.name],
    ["general.license", "string", "mit"],
    ["general.file_type", "u32", 0],
    [`${arch}.block_count`, "u32", s.layers],
    [`${arch}.context_length`, "u32", s.contextLength],
    [`${arch}.embedding_length`, "u32", s.dim],
    [`${arch}.feed_forward_length`, "u32", s.ffn],
    [`${arch}.attention.head_count`, "u32", s.heads],
    ...(isBert
      ? ([
          [`${arch}.attention.layer_norm_epsilon`, "f32", 1e-6],
          [`${arch}.attention.causal`, "bool", false],
        ] satisfies GgufEntry[])
      : ([
          [`${arch}.attention.layer_norm_rms_epsilon`, "f32", 1e-6],
          [`${arch}.attention.head_count_kv`, "u32", s.heads],
          [`${arch}.attention.key_length`, "u32", s.dim / s.heads],
          [`${arch}.attention.value_length`, "u32", s.dim / s.heads],
          [`${arch}.rope.freq_base`, "f32", 10_000],
        ] satisfies GgufEntry[])),
    ...(s.pooling === null
      ? []
      : ([[`${arch}.pooling_type`, "u32", POOLINGS[s.pooling]]] satisfies GgufEntry[])),
    // Qwen 3's score is the share of the first.
    ...(s.pooling === "rank" && !isBert
      ? ([[`${arch}.classifier.output_labels`, "strings", ["yes", "no"]]] satisfies GgufEntry[])
      : []),
    ...(s.rerankTemplate === undefined
      ? []
      : ([["tokenizer.chat_template.rerank", "string", s.rerankTemplate]] satisfies GgufEntry[])),
  ]
}

/** Words that no text has fill a larger vocabulary. */
function piecesOf({ vocabulary }: Settings): readonly string[] {
  const more = Math.max(0, vocabulary - WORD_PIECES.length)
  return [...WORD_PIECES, ...Array.from({ length: more }, (_, index) => `unused${index}`)]
}

/** llama.cpp marks the beginnings of words, where BERT marks the rest. */
function wordPieceEntries(s: Settings): GgufEntry[] {
  const pieces = piecesOf(s)
  const tokens = pieces.map((token) =>
    token.startsWith("##") ? token.slice(2) : token.startsWith("[") ? token : `\u2581${token}`,
  )
  return [
    ["tokenizer.ggml.model", "string", "bert"],
    ["tokenizer.ggml.token_type_count", "u32", 2],
    ["tokenizer.ggml.tokens", "strings", tokens],
    ["tokenizer.ggml.token_type", "i32s", pieces.map((token) => (token.startsWith("[") ? 3 : 1))],
    ["tokenizer.ggml.padding_token_id", "u32", 0],
    ["tokenizer.ggml.unknown_token_id", "u32", 1],
    ["tokenizer.ggml.cls_token_id", "u32", 2],
    ["tokenizer.ggml.bos_token_id", "u32", 2],
    ["tokenizer.ggml.seperator_token_id", "u32", 3],
    ["tokenizer.ggml.eos_token_id", "u32", 3],
    ["tokenizer.ggml.mask_token_id", "u32", 4],
  ]
}

const BYTE_PAIRS = 512

function bytePairEntries(_: Settings): GgufEntry[] {
  const { tokens, merges, controlCount } = tinyVocabulary({ size: BYTE_PAIRS, fim: false })
  return [
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "qwen2"],
    ["tokenizer.ggml.tokens", "strings", tokens],
    ["tokenizer.ggml.token_type", "i32s", tokens.map((_token, id) => (id < controlCount ? 3 : 1))],
    ["tokenizer.ggml.merges", "strings", merges],
    ["tokenizer.ggml.eos_token_id", "u32", 0],
    ["tokenizer.ggml.padding_token_id", "u32", 0],
    ["tokenizer.ggml.add_bos_token", "bool", false],
    ["tokenizer.ggml.add_eos_token", "bool", true],
  ]
}

function norm(maker: TensorMaker, prefix: string, length: number): GgufTensor[] {
  return [maker.ones(`${prefix}.weight`, length), maker.filled(`${prefix}.bias`, [length], () => 0)]
}

function linear(maker: TensorMaker, prefix: string, from: number, to: number, gain = 1.5): GgufTensor[] {
  return [
    maker.random(`${prefix}.weight`, [from, to], gain),
    maker.filled(`${prefix}.bias`, [to], () => maker.normal() / 10),
  ]
}

function embeddingOf(s: Settings, maker: TensorMaker, vocabulary: number): GgufTensor {
  const embedding = maker.random("token_embd.weight", [s.dim, vocabulary], Math.sqrt(s.dim))
  if (s.brokenToken !== undefined)
    embedding.values.fill(Number.NaN, s.brokenToken * s.dim, (s.brokenToken + 1) * s.dim)
  return embedding
}

function bertTensors(s: Settings): GgufTensor[] {
  const maker = new TensorMaker(s.seed, s.weights)
  const layer = (index: number): GgufTensor[] => {
    const prefix = `blk.${index}.`
    return [
      ...["attn_q", "attn_k", "attn_v", "attn_output"].flatMap((name) =>
        linear(maker, prefix + name, s.dim, s.dim),
      ),
      ...norm(maker, `${prefix}attn_output_norm`, s.dim),
      ...linear(maker, `${prefix}ffn_up`, s.dim, s.ffn),
      // Little: ggml's GELU is a table of half precision, which turns the last digits of its input into larger ones.
      ...linear(maker, `${prefix}ffn_down`, s.ffn, s.dim, 0.1),
      ...norm(maker, `${prefix}layer_output_norm`, s.dim),
    ]
  }
  return [
    embeddingOf(s, maker, piecesOf(s).length),
    maker.filled("position_embd.weight", [s.dim, s.contextLength], () => maker.normal() / 2),
    maker.filled("token_types.weight", [s.dim, 2], () => maker.normal() / 2),
    ...norm(maker, "token_embd_norm", s.dim),
    ...Array.from({ length: s.layers }, (_, index) => layer(index)).flat(),
    ...(s.pooling === "rank"
      ? [...linear(maker, "cls", s.dim, s.dim), ...linear(maker, "cls.output", s.dim, 1)]
      : []),
  ]
}

function qwenTensors(s: Settings): GgufTensor[] {
  const maker = new TensorMaker(s.seed, s.weights)
  const layer = (index: number): GgufTensor[] => {
    const prefix = `blk.${index}.`
    return [
      maker.ones(`${prefix}attn_norm.weight`, s.dim),
      ...["attn_q", "attn_k", "attn_v", "attn_output"].map((name) =>
        maker.random(`${prefix}${name}.weight`, [s.dim, s.dim], 1.5),
      ),
      maker.ones(`${prefix}attn_q_norm.weight`, s.dim / s.heads),
      maker.ones(`${prefix}attn_k_norm.weight`, s.dim / s.heads),
      maker.ones(`${prefix}ffn_norm.weight`, s.dim),
      maker.random(`${prefix}ffn_gate.weight`, [s.dim, s.ffn], 1.5),
      maker.random(`${prefix}ffn_up.weight`, [s.dim, s.ffn], 1.5),
      maker.random(`${prefix}ffn_down.weight`, [s.ffn, s.dim], 1.5),
    ]
  }
  return [
    embeddingOf(s, maker, BYTE_PAIRS),
    ...Array.from({ length: s.layers }, (_, index) => layer(index)).flat(),
    maker.ones("output_norm.weight", s.dim),
    ...(s.pooling === "rank" ? linear(maker, "cls.output", s.dim, 2).slice(0, 1) : []),
  ]
}
