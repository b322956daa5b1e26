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
}

const DIM = 64
const HEADS = 4
const LAYERS = 2
const FFN = 128
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
    ...options,
    architecture,
    pooling: options.pooling === undefined ? (architecture === "bert" ? "mean" : "last") : options.pooling,
  }
  const isBert = architecture === "bert"
  writeGguf(
    path,
    [...generalEntries(settings), ...(isBert ? wordPieceEntries() : bytePairEntries(settings))],
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
    [`${arch}.block_count`, "u32", LAYERS],
    [`${arch}.context_length`, "u32", s.contextLength],
    [`${arch}.embedding_length`, "u32", DIM],
    [`${arch}.feed_forward_length`, "u32", FFN],
    [`${arch}.attention.head_count`, "u32", HEADS],
    ...(isBert
      ? ([
          [`${arch}.attention.layer_norm_epsilon`, "f32", 1e-6],
          [`${arch}.attention.causal`, "bool", false],
        ] satisfies GgufEntry[])
      : ([
          [`${arch}.attention.layer_norm_rms_epsilon`, "f32", 1e-6],
          [`${arch}.attention.head_count_kv`, "u32", HEADS],
          [`${arch}.attention.key_length`, "u32", DIM / HEADS],
          [`${arch}.attention.value_length`, "u32", DIM / HEADS],
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

/** llama.cpp marks the beginnings of words, where BERT marks the rest. */
function wordPieceEntries(): GgufEntry[] {
  const tokens = WORD_PIECES.map((token) =>
    token.startsWith("##") ? token.slice(2) : token.startsWith("[") ? token : `\u2581${token}`,
  )
  return [
    ["tokenizer.ggml.model", "string", "bert"],
    ["tokenizer.ggml.token_type_count", "u32", 2],
    ["tokenizer.ggml.tokens", "strings", tokens],
    ["tokenizer.ggml.token_type", "i32s", WORD_PIECES.map((token) => (token.startsWith("[") ? 3 : 1))],
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

function norm(maker: TensorMaker, prefix: string): GgufTensor[] {
  return [maker.ones(`${prefix}.weight`, DIM), maker.filled(`${prefix}.bias`, [DIM], () => 0)]
}

function linear(maker: TensorMaker, prefix: string, from: number, to: number, gain = 1.5): GgufTensor[] {
  return [
    maker.random(`${prefix}.weight`, [from, to], gain),
    maker.filled(`${prefix}.bias`, [to], () => maker.normal() / 10),
  ]
}

function embeddingOf(s: Settings, maker: TensorMaker, vocabulary: number): GgufTensor {
  const embedding = maker.random("token_embd.weight", [DIM, vocabulary], Math.sqrt(DIM))
  if (s.brokenToken !== undefined)
    embedding.values.fill(Number.NaN, s.brokenToken * DIM, (s.brokenToken + 1) * DIM)
  return embedding
}

function bertTensors(s: Settings): GgufTensor[] {
  const maker = new TensorMaker(s.seed, "f32")
  const layer = (index: number): GgufTensor[] => {
    const prefix = `blk.${index}.`
    return [
      ...["attn_q", "attn_k", "attn_v", "attn_output"].flatMap((name) =>
        linear(maker, prefix + name, DIM, DIM),
      ),
      ...norm(maker, `${prefix}attn_output_norm`),
      ...linear(maker, `${prefix}ffn_up`, DIM, FFN),
      // Little: ggml's GELU is a table of half precision, which turns the last digits of its input into larger ones.
      ...linear(maker, `${prefix}ffn_down`, FFN, DIM, 0.1),
      ...norm(maker, `${prefix}layer_output_norm`),
    ]
  }
  return [
    embeddingOf(s, maker, WORD_PIECES.length),
    maker.filled("position_embd.weight", [DIM, s.contextLength], () => maker.normal() / 2),
    maker.filled("token_types.weight", [DIM, 2], () => maker.normal() / 2),
    ...norm(maker, "token_embd_norm"),
    ...Array.from({ length: LAYERS }, (_, index) => layer(index)).flat(),
    ...(s.pooling === "rank"
      ? [...linear(maker, "cls", DIM, DIM), ...linear(maker, "cls.output", DIM, 1)]
      : []),
  ]
}

function qwenTensors(s: Settings): GgufTensor[] {
  const maker = new TensorMaker(s.seed, "f32")
  const layer = (index: number): GgufTensor[] => {
    const prefix = `blk.${index}.`
    return [
      maker.ones(`${prefix}attn_norm.weight`, DIM),
      ...["attn_q", "attn_k", "attn_v", "attn_output"].map((name) =>
        maker.random(`${prefix}${name}.weight`, [DIM, DIM], 1.5),
      ),
      maker.ones(`${prefix}attn_q_norm.weight`, DIM / HEADS),
      maker.ones(`${prefix}attn_k_norm.weight`, DIM / HEADS),
      maker.ones(`${prefix}ffn_norm.weight`, DIM),
      maker.random(`${prefix}ffn_gate.weight`, [DIM, FFN], 1.5),
      maker.random(`${prefix}ffn_up.weight`, [DIM, FFN], 1.5),
      maker.random(`${prefix}ffn_down.weight`, [FFN, DIM], 1.5),
    ]
  }
  return [
    embeddingOf(s, maker, BYTE_PAIRS),
    ...Array.from({ length: LAYERS }, (_, index) => layer(index)).flat(),
    maker.ones("output_norm.weight", DIM),
    ...(s.pooling === "rank" ? linear(maker, "cls.output", DIM, 2).slice(0, 1) : []),
  ]
}
