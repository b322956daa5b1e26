import { type GgufEntry, type GgufTensor, writeGguf } from "../files/gguf-writer"
import { CHATML, TensorMaker } from "../files/tiny-model"
import { type TinyVocabulary, tinyVocabulary } from "../files/tiny-vocabulary"

/** Text models whose families have projectors, as small as llama.cpp can run them. */
export interface TinyTextOptions {
  readonly architecture: "gemma3" | "qwen2vl" | "qwen3vl" | "llama"
  /** Embedding length. */
  readonly dim: number
  readonly layers?: number
  readonly seed?: number
  readonly contextLength?: number
  /** The names of control tokens that projectors of the family put around pictures. */
  readonly controls?: readonly string[]
  readonly chatTemplate?: string
}

/** ChatML with a template that lists the parts of a content itself, as those of Qwen's vision models do. */
export const CHATML_OF_PARTS =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}" +
  "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}" +
  "{% if part['type'] == 'image' or 'image_url' in part %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}" +
  "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

const VOCABULARY = 512
const FEED_FORWARD = 128
const HEADS = 2
const HEAD_SIZE = 32
const CONTROL = 3
const NORMAL = 1
const UNUSED = 5

/** Writes the model; its texts are nonsense, but depend on every picture and token before them. */
export function writeTinyText(path: string, options: TinyTextOptions): TinyVocabulary {
  const settings = { layers: 2, seed: 1, contextLength: 4096, controls: [], chatTemplate: CHATML, ...options }
  const vocabulary = withEmptyLine(
    tinyVocabulary({ size: VOCABULARY, fim: false, controls: settings.controls }),
  )
  writeGguf(path, entriesOf(settings, vocabulary), tensorsOf(settings, vocabulary))
  return vocabulary
}

/** Some projectors put two line ends before a picture, as one token: it replaces the last pair of letters. */
function withEmptyLine(vocabulary: TinyVocabulary): TinyVocabulary {
  const lineEnd = vocabulary.tokens[vocabulary.idOfByte(0x0a)] ?? ""
  return {
    ...vocabulary,
    tokens: vocabulary.tokens.with(-1, lineEnd + lineEnd),
    merges: vocabulary.merges.with(-1, `${lineEnd} ${lineEnd}`),
  }
}

function entriesOf(s: Required<TinyTextOptions>, vocabulary: TinyVocabulary): GgufEntry[] {
  const { architecture: arch } = s
  const typeOf = (token: string, id: number) =>
    id < vocabulary.controlCount ? CONTROL : token.startsWith("<unused") ? UNUSED : NORMAL
  return [
    ["general.architecture", "string", arch],
    ["general.name", "string", `tiny ${arch}`],
    ["general.file_type", "u32", 0],
    [`${arch}.block_count`, "u32", s.layers],
    [`${arch}.context_length`, "u32", s.contextLength],
    [`${arch}.embedding_length`, "u32", s.dim],
    [`${arch}.feed_forward_length`, "u32", FEED_FORWARD],
    [`${arch}.attention.head_count`, "u32", HEADS],
    [`${arch}.attention.head_count_kv`, "u32", 1],
    [`${arch}.attention.key_length`, "u32", HEAD_SIZE],
    [`${arch}.attention.value_length`, "u32", HEAD_SIZE],
    [`${arch}.attention.layer_norm_rms_epsilon`, "f32", 1e-6],
    [`${arch}.rope.freq_base`, "f32", 10_000],
    ...FAMILY_ENTRIES[arch],
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "qwen2"],
    ["tokenizer.ggml.tokens", "strings", vocabulary.tokens],
    ["tokenizer.ggml.token_type", "i32s", vocabulary.tokens.map(typeOf)],
    ["tokenizer.ggml.merges", "strings", vocabulary.merges],
    ["tokenizer.ggml.bos_token_id", "u32", 0],
    ["tokenizer.ggml.eos_token_id", "u32", 2],
    ["tokenizer.ggml.add_bos_token", "bool", false],
    ["tokenizer.chat_template", "string", s.chatTemplate],
  ]
}

const SECTIONS = [8, 4, 4, 0]
const FAMILY_ENTRIES: Readonly<Record<TinyTextOptions["architecture"], readonly GgufEntry[]>> = {
  gemma3: [["gemma3.attention.sliding_window", "u32", 64]],
  qwen2vl: [["qwen2vl.rope.dimension_sections", "i32s", SECTIONS]],
  qwen3vl: [
    ["qwen3vl.rope.dimension_sections", "i32s", SECTIONS],
    ["qwen3vl.n_deepstack_layers", "u32", 1],
  ],
  llama: [["llama.rope.dimension_count", "u32", HEAD_SIZE]],
}

function tensorsOf(s: Required<TinyTextOptions>, vocabulary: TinyVocabulary): GgufTensor[] {
  const maker = new TensorMaker(s.seed, "f32")
  const output = maker.random("output.weight", [s.dim, VOCABULARY], 4)
  silenceUnreadable(output.values, s.dim, vocabulary)
  return [
    maker.random("token_embd.weight", [s.dim, VOCABULARY], 0.4 * Math.sqrt(s.dim)),
    maker.ones("output_norm.weight", s.dim),
    output,
    ...Array.from({ length: s.layers }, (_, layer) => layerOf(s, maker, `blk.${layer}.`)).flat(),
  ]
}

function layerOf({ architecture, dim }: TinyTextOptions, maker: TensorMaker, prefix: string): GgufTensor[] {
  const isGemma = architecture === "gemma3"
  const wide = HEADS * HEAD_SIZE
  return [
    maker.ones(`${prefix}attn_norm.weight`, dim),
    maker.ones(`${prefix}ffn_norm.weight`, dim),
    maker.random(`${prefix}attn_q.weight`, [dim, wide], 1.6),
    maker.random(`${prefix}attn_k.weight`, [dim, HEAD_SIZE], 1.6),
    maker.random(`${prefix}attn_v.weight`, [dim, HEAD_SIZE], 1.6),
    maker.random(`${prefix}attn_output.weight`, [wide, dim], 1.6),
    maker.random(`${prefix}ffn_gate.weight`, [dim, FEED_FORWARD], 1.6),
    maker.random(`${prefix}ffn_up.weight`, [dim, FEED_FORWARD], 1.6),
    maker.random(`${prefix}ffn_down.weight`, [FEED_FORWARD, dim], 1.6),
    ...(architecture === "qwen2vl"
      ? ["q", "k", "v"].map((part) => {
          const bias = { name: `${prefix}attn_${part}.bias`, length: part === "q" ? wide : HEAD_SIZE }
          return maker.filled(bias.name, [bias.length], () => maker.normal() / 10)
        })
      : []),
    ...(isGemma || architecture === "qwen3vl"
      ? ["q", "k"].map((part) => maker.ones(`${prefix}attn_${part}_norm.weight`, HEAD_SIZE))
      : []),
    ...(isGemma
      ? ["attention", "ffw"].map((part) => maker.ones(`${prefix}post_${part}_norm.weight`, dim))
      : []),
  ]
}

/** Greedy texts consist of printable ASCII and do not end by themselves. */
function silenceUnreadable(
  output: Float32Array,
  dim: number,
  { tokens, controlCount }: TinyVocabulary,
): void {
  tokens.forEach((token, id) => {
    const isReadable =
      id >= controlCount && /^[\x20-\x7e\u0120]+$/.test(token) && !token.startsWith("<unused")
    if (!isReadable) output.fill(0, id * dim, (id + 1) * dim)
  })
}
