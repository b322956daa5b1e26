import { type GgufEntry, type GgufTensor, writeGguf } from "./gguf-writer"
import { type TinyVocabulary, tinyVocabulary } from "./tiny-vocabulary"

export interface TinyModelOptions {
  /** The same seed and options give the same file. Default 1. */
  readonly seed?: number
  /**
   * `llama`: ordinary KV cache. `swa`: OLMo 2 with a sliding window on every second layer. `mamba`: recurrent.
   * `hybrid`: Jamba, whose layers are recurrent and ordinary ones in turn. The last three have caches that cannot drop
   * or share any part of a sequence.
   */
  readonly architecture?: "llama" | "swa" | "mamba" | "hybrid"
  readonly layers?: number
  /** Embedding length; like `ffn`, a multiple of 32 with q8_0 weights. */
  readonly dim?: number
  readonly heads?: number
  readonly kvHeads?: number
  readonly ffn?: number
  readonly vocab?: number
  /** Fill the vocabulary with words, instead of unused tokens? Default false. */
  readonly words?: boolean
  readonly contextLength?: number
  /** The size of a `swa` model's window in tokens. */
  readonly slidingWindow?: number
  readonly weights?: "f32" | "q8_0"
  /** `null`: none. Default: ChatML. */
  readonly chatTemplate?: string | null
  /** Start every prompt with the BOS token? Default false. */
  readonly addBos?: boolean
  /** Add fill-in-the-middle tokens? Default false. */
  readonly fim?: boolean
  /** The names of more control tokens. Default: none. */
  readonly controls?: readonly string[]
  /**
   * Allow the model to choose any token. By default the output rows of control tokens and of bytes other than
   * printable ASCII are zero, so that greedy texts are readable and never end by themselves.
   */
  readonly anyToken?: boolean
  /** Pairs of token ids: the second (almost) always follows the first, see {@link TinyModel.vocabulary}. */
  readonly chain?: readonly (readonly [after: number, next: number])[]
  /** After this token all values are NaN: its row in the file is damaged. */
  readonly brokenToken?: number
  /** Standard deviation of the logits; larger makes the model more certain. Default 5. */
  readonly logitScale?: number
  readonly name?: string
  readonly license?: string
}

export interface TinyModel {
  readonly path: string
  readonly vocabulary: TinyVocabulary
  /** <|endoftext|>, which also ends a generation. */
  readonly bos: 0
  /** <|im_end|>. */
  readonly eos: 2
}

export const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

const ENDLESS =
  "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}"

/** Never ends, whatever the input: counts up for longer than any machine could run. */
export const ENDLESS_TEMPLATE = ENDLESS + CHATML

/** Works like ChatML, but never ends if the last message contains the word "forever". */
export const SOMETIMES_ENDLESS_TEMPLATE = `{% if 'forever' in messages[-1]['content'] %}${ENDLESS}{% endif %}${CHATML}`

const DEFAULTS = {
  seed: 1,
  architecture: "llama",
  layers: 2,
  dim: 64,
  heads: 4,
  kvHeads: 2,
  ffn: 128,
  vocab: 512,
  words: false,
  contextLength: 4096,
  slidingWindow: 32,
  weights: "f32",
  chatTemplate: CHATML,
  addBos: false,
  fim: false,
  controls: [],
  anyToken: false,
  chain: [],
  logitScale: 5,
  name: "tiny",
  license: "mit",
} as const satisfies TinyModelOptions

type Settings = Required<Omit<TinyModelOptions, "brokenToken">> & Pick<TinyModelOptions, "brokenToken">

/**
 * Writes a small model with random weights that llama.cpp can run: about 600 KB by default. Its output is nonsense,
 * but reproducible, and different for different prompts.
 */
export function writeTinyModel(path: string, options: TinyModelOptions = {}): TinyModel {
  const settings: Settings = { ...DEFAULTS, ...options }
  const vocabulary = tinyVocabulary({
    size: settings.vocab,
    fim: settings.fim,
    controls: settings.controls,
    words: settings.words,
  })
  const entries = [
    ...generalEntries(settings),
    ...ARCHITECTURES[settings.architecture].entries(settings),
    ...tokenizerEntries(settings, vocabulary),
  ]
  writeGguf(path, entries, tensorsOf(settings, vocabulary))
  return { path, vocabulary, bos: 0, eos: 2 }
}

/** Writes it as several files, like llama.cpp's `llama-gguf-split`, in the order of the paths. */
export function writeSplitTinyModel(paths: readonly string[], options: TinyModelOptions = {}): void {
  const settings: Settings = { ...DEFAULTS, ...options }
  const vocabulary = tinyVocabulary({
    size: settings.vocab,
    fim: settings.fim,
    controls: settings.controls,
    words: settings.words,
  })
  const entries = [
    ...generalEntries(settings),
    ...ARCHITECTURES[settings.architecture].entries(settings),
    ...tokenizerEntries(settings, vocabulary),
  ]
  const tensors = tensorsOf(settings, vocabulary)
  for (const [index, path] of paths.entries()) {
    const place: GgufEntry[] = [
      ["split.no", "u16", index],
      ["split.count", "u16", paths.length],
      ["split.tensors.count", "i32", tensors.length],
    ]
    const own = tensors.filter((_, at) => Math.floor((at * paths.length) / tensors.length) === index)
    writeGguf(path, index === 0 ? [...entries, ...place] : place, own)
  }
}

function generalEntries(s: Settings): GgufEntry[] {
  const arch = ARCHITECTURES[s.architecture].name
  return [
    ["general.architecture", "string", arch],
    ["general.name", "string", s.name],
    ["general.license", "string", s.license],
    ["general.file_type", "u32", s.weights === "f32" ? 0 : 7],
    [`${arch}.block_count`, "u32", s.layers],
    [`${arch}.context_length`, "u32", s.contextLength],
    [`${arch}.embedding_length`, "u32", s.dim],
    [`${arch}.feed_forward_length`, "u32", s.ffn],
    [`${arch}.attention.head_count`, "u32", s.heads],
    [`${arch}.attention.layer_norm_rms_epsilon`, "f32", 1e-5],
    [`${arch}.vocab_size`, "u32", s.vocab],
  ]
}

function tokenizerEntries(s: Settings, { tokens, merges, controlCount, idOf }: TinyVocabulary): GgufEntry[] {
  const NORMAL = 1
  const CONTROL = 3
  const UNUSED = 5
  const typeOf = (token: string, id: number): number =>
    id < controlCount ? CONTROL : token.startsWith("<unused") ? UNUSED : NORMAL
  return [
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "smollm"],
    ["tokenizer.ggml.tokens", "strings", tokens],
    ["tokenizer.ggml.token_type", "i32s", tokens.map(typeOf)],
    ["tokenizer.ggml.merges", "strings", merges],
    ["tokenizer.ggml.bos_token_id", "u32", 0],
    ["tokenizer.ggml.eos_token_id", "u32", 2],
    ["tokenizer.ggml.padding_token_id", "u32", 0],
    ["tokenizer.ggml.add_bos_token", "bool", s.addBos],
    ...fimEntries(s, idOf),
    ...chatTemplateEntries(s),
  ]
}

function fimEntries(s: Settings, idOf: TinyVocabulary["idOf"]): GgufEntry[] {
  if (!s.fim) return []
  return [
    ["tokenizer.ggml.fim_pre_token_id", "u32", idOf("<|fim_prefix|>")],
    ["tokenizer.ggml.fim_suf_token_id", "u32", idOf("<|fim_suffix|>")],
    ["tokenizer.ggml.fim_mid_token_id", "u32", idOf("<|fim_middle|>")],
  ]
}

function chatTemplateEntries(s: Settings): GgufEntry[] {
  return s.chatTemplate === null ? [] : [["tokenizer.chat_template", "string", s.chatTemplate]]
}

interface Architecture {
  /** `general.architecture`. */
  readonly name: string
  entries(s: Settings): GgufEntry[]
  layer(s: Settings, maker: TensorMaker, prefix: string, index: number): GgufTensor[]
}

const ARCHITECTURES: Readonly<Record<Settings["architecture"], Architecture>> = {
  llama: {
    name: "llama",
    entries: (s) => attentionEntries("llama", s),
    layer: (s, maker, prefix) => [
      maker.ones(`${prefix}attn_norm.weight`, s.dim),
      maker.ones(`${prefix}ffn_norm.weight`, s.dim),
      ...attentionTensors(s, maker, prefix),
      ...feedForwardTensors(s, maker, prefix),
    ],
  },
  swa: {
    name: "olmo2",
    entries: (s) => [
      ...attentionEntries("olmo2", s),
      ["olmo2.attention.sliding_window", "u32", s.slidingWindow],
      [
        "olmo2.attention.sliding_window_pattern",
        "bools",
        Array.from({ length: s.layers }, (_, layer) => layer % 2 === 0),
      ],
    ],
    layer: (s, maker, prefix) => [
      maker.ones(`${prefix}attn_q_norm.weight`, s.dim),
      maker.ones(`${prefix}attn_k_norm.weight`, (s.dim / s.heads) * s.kvHeads),
      maker.ones(`${prefix}post_attention_norm.weight`, s.dim),
      maker.ones(`${prefix}post_ffw_norm.weight`, s.dim),
      ...attentionTensors(s, maker, prefix),
      ...feedForwardTensors(s, maker, prefix),
    ],
  },
  mamba: {
    name: "mamba",
    entries: (s) => [
      ["mamba.ssm.conv_kernel", "u32", MAMBA.kernel],
      ["mamba.ssm.inner_size", "u32", 2 * s.dim],
      ["mamba.ssm.state_size", "u32", MAMBA.state],
      ["mamba.ssm.time_step_rank", "u32", MAMBA.rank],
    ],
    layer: mambaTensors,
  },
  hybrid: {
    name: "jamba",
    entries: (s) => [
      [
        "jamba.attention.head_count_kv",
        "i32s",
        Array.from({ length: s.layers }, (_, layer) => (isRecurrent(layer) ? 0 : s.kvHeads)),
      ],
      ["jamba.ssm.conv_kernel", "u32", MAMBA.kernel],
      ["jamba.ssm.inner_size", "u32", 2 * s.dim],
      ["jamba.ssm.state_size", "u32", MAMBA.state],
      ["jamba.ssm.time_step_rank", "u32", MAMBA.rank],
    ],
    layer: (s, maker, prefix, index) => [
      ...(isRecurrent(index)
        ? [...mambaTensors(s, maker, prefix), ...mambaNorms(maker, prefix)]
        : [maker.ones(`${prefix}attn_norm.weight`, s.dim), ...attentionTensors(s, maker, prefix)]),
      maker.ones(`${prefix}ffn_norm.weight`, s.dim),
      ...feedForwardTensors(s, maker, prefix),
    ],
  },
}

/** Of a hybrid model's layers. */
function isRecurrent(layer: number): boolean {
  return layer % 2 === 0
}

/** Sizes of a mamba layer: kernel and state as in published models; a small rank. */
const MAMBA = { kernel: 4, state: 16, rank: 32 }

function attentionEntries(arch: string, s: Settings): GgufEntry[] {
  return [
    [`${arch}.attention.head_count_kv`, "u32", s.kvHeads],
    [`${arch}.rope.dimension_count`, "u32", s.dim / s.heads],
    [`${arch}.rope.freq_base`, "f32", 10000],
  ]
}

/** How much a layer adds to the hidden state: little if the next token should depend only on the last one. */
function outputGain(s: Settings): number {
  return s.chain.length > 0 ? 0.2 : 1.5
}

function attentionTensors(s: Settings, maker: TensorMaker, prefix: string): GgufTensor[] {
  const kvDim = (s.dim / s.heads) * s.kvHeads
  return [
    maker.random(`${prefix}attn_q.weight`, [s.dim, s.dim], 1.5),
    maker.random(`${prefix}attn_k.weight`, [s.dim, kvDim], 1.5),
    maker.random(`${prefix}attn_v.weight`, [s.dim, kvDim], 1.5),
    maker.random(`${prefix}attn_output.weight`, [s.dim, s.dim], outputGain(s)),
  ]
}

function feedForwardTensors(s: Settings, maker: TensorMaker, prefix: string): GgufTensor[] {
  return [
    maker.random(`${prefix}ffn_gate.weight`, [s.dim, s.ffn], 1.5),
    maker.random(`${prefix}ffn_up.weight`, [s.dim, s.ffn], 1.5),
    maker.random(`${prefix}ffn_down.weight`, [s.ffn, s.dim], outputGain(s)),
  ]
}

function mambaTensors(s: Settings, maker: TensorMaker, prefix: string): GgufTensor[] {
  const inner = 2 * s.dim
  return [
    maker.ones(`${prefix}attn_norm.weight`, s.dim),
    maker.random(`${prefix}ssm_in.weight`, [s.dim, 2 * inner], 1.5),
    maker.filled(`${prefix}ssm_conv1d.weight`, [MAMBA.kernel, inner], () => maker.normal() / 2),
    maker.filled(`${prefix}ssm_conv1d.bias`, [inner], () => 0),
    maker.random(`${prefix}ssm_x.weight`, [inner, MAMBA.rank + 2 * MAMBA.state], 1),
    maker.random(`${prefix}ssm_dt.weight`, [MAMBA.rank, inner], 1),
    maker.filled(`${prefix}ssm_dt.bias`, [inner], () => -2),
    // The state decays at rates 1, 2, 3 …, as in mamba's initialisation.
    maker.filled(`${prefix}ssm_a`, [MAMBA.state, inner], (index) => -(1 + (index % MAMBA.state)) / 4),
    maker.ones(`${prefix}ssm_d`, inner),
    maker.random(`${prefix}ssm_out.weight`, [inner, s.dim], outputGain(s)),
  ]
}

/** Jamba normalizes what Mamba does not. */
function mambaNorms(maker: TensorMaker, prefix: string): GgufTensor[] {
  return [
    maker.ones(`${prefix}ssm_dt_norm.weight`, MAMBA.rank),
    maker.ones(`${prefix}ssm_b_norm.weight`, MAMBA.state),
    maker.ones(`${prefix}ssm_c_norm.weight`, MAMBA.state),
  ]
}

function tensorsOf(s: Settings, vocabulary: TinyVocabulary): GgufTensor[] {
  const maker = new TensorMaker(s.seed, s.weights)
  const embedding = maker.random("token_embd.weight", [s.dim, s.vocab], Math.sqrt(s.dim))
  const layers = Array.from({ length: s.layers }, (_, layer) =>
    ARCHITECTURES[s.architecture].layer(s, maker, `blk.${layer}.`, layer),
  )
  const output = maker.random("output.weight", [s.dim, s.vocab], s.logitScale)
  if (!s.anyToken) silenceUnreadable(output.values, s, vocabulary)
  if (s.brokenToken !== undefined)
    embedding.values.fill(Number.NaN, s.brokenToken * s.dim, (s.brokenToken + 1) * s.dim)
  for (const [after, next] of s.chain) linkTokens(embedding.values, output.values, s, after, next)
  return [embedding, maker.ones("output_norm.weight", s.dim), output, ...layers.flat()]
}

function silenceUnreadable(
  output: Float32Array,
  s: Settings,
  { tokens, controlCount }: TinyVocabulary,
): void {
  tokens.forEach((token, id) => {
    const readable = id >= controlCount && /^[\x20-\x7e\u0120]+$/.test(token) && !token.startsWith("<unused")
    if (!readable) output.fill(0, id * s.dim, (id + 1) * s.dim)
  })
}

/**
 * The last hidden state still contains the token's embedding: aligning an output row with it makes that token come
 * next.
 */
function linkTokens(
  embedding: Float32Array,
  output: Float32Array,
  s: Settings,
  after: number,
  next: number,
): void {
  for (let index = 0; index < s.dim; index++) {
    const towards = (embedding[after * s.dim + index] ?? 0) * s.logitScale
    output[next * s.dim + index] = (output[next * s.dim + index] ?? 0) + towards
  }
}

/** Creates tensors from one seeded stream of numbers. */
export class TensorMaker {
  #state: number
  readonly #weights: "f32" | "q8_0"

  constructor(seed: number, weights: "f32" | "q8_0") {
    this.#state = seed >>> 0
    this.#weights = weights
  }

  /** Normally distributed, scaled so that a unit input gives outputs of standard deviation `gain`. */
  random(name: string, shape: readonly [number, number], gain: number): GgufTensor {
    const deviation = gain / Math.sqrt(shape[0])
    return { ...this.filled(name, shape, () => this.normal() * deviation), type: this.#weights }
  }

  ones(name: string, length: number): GgufTensor {
    return this.filled(name, [length], () => 1)
  }

  filled(name: string, shape: readonly number[], value: (index: number) => number): GgufTensor {
    const count = shape.reduce((product, size) => product * size, 1)
    return {
      name,
      shape,
      type: "f32",
      values: Float32Array.from({ length: count }, (_, index) => value(index)),
    }
  }

  /** Approximately normal: the sum of four uniform numbers has variance 1/3. */
  normal(): number {
    return (this.#uniform() + this.#uniform() + this.#uniform() + this.#uniform() - 2) * Math.sqrt(3)
  }

  /** Mulberry32, a small generator with a 32-bit state and good mixing; from 0 to 1. */
  #uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
