import { writeFileSync } from "node:fs"
import { join } from "node:path"

/** The files of a tokenizer by their names. */
export type TokenizerFileSet = Readonly<Record<string, string | Uint8Array>>

export function writeAll(folder: string, files: TokenizerFileSet): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
}

const TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"

/** The characters that stand for bytes in byte pairs. */
function byteCharacters(): readonly string[] {
  const plain = new Set<number>()
  for (const [from, to] of [
    [33, 126],
    [161, 172],
    [174, 255],
  ] as const)
    for (let code = from; code <= to; code++) plain.add(code)
  let other = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(plain.has(byte) ? byte : other++))
}

const SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** Byte pairs, with pairs of letters for merges. 320 ids, of which the last ten have no token. */
export function bytePairTokenizer(
  className = "PreTrainedTokenizerFast",
  more: readonly string[] = [],
): TokenizerFileSet {
  const vocab: Record<string, number> = {}
  for (const character of byteCharacters()) vocab[character] = Object.keys(vocab).length
  const merges: [string, string][] = []
  const merge = (a: string, b: string) => {
    merges.push([a, b])
    vocab[a + b] ??= Object.keys(vocab).length
  }
  for (const [a, b] of [
    "th",
    "he",
    "in",
    "er",
    "an",
    "re",
    "on",
    "at",
    "en",
    "nd",
    "ti",
    "es",
    "or",
    "te",
  ].map(([x = "", y = ""]) => [x, y] as const))
    merge(a, b)
  merge("th", "e")
  merge("Ġ", "the")
  merge("Ġ", "a")
  merge("Ġ", "t")
  merge("an", "d")
  merge("in", "g")
  merge("y", "es")
  merge("n", "o")
  const first = Object.keys(vocab).length
  const added = ["<|bos|>", "<|eos|>", "<|pad|>", "<tool▁call>", "\ufeff//", ...more].map(
    (content, index) => ({
      id: first + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: index < 3 || index > 4,
    }),
  )
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false }
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: SPLIT }, behavior: "Isolated", invert: false },
        byteLevel,
      ],
    },
    post_processor: null,
    decoder: { ...byteLevel, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
  }
  const config = {
    tokenizer_class: className,
    bos_token: "<|bos|>",
    eos_token: "<|eos|>",
    pad_token: "<|pad|>",
    unk_token: "<|eos|>",
    add_bos_token: false,
    clean_up_tokenization_spaces: false,
    chat_template: TEMPLATE,
  }
  return { "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": JSON.stringify(config) }
}

/** Ids of {@link bytePairTokenizer}, with a few beyond its tokens. */
export const BYTE_PAIR_IDS = 320
export const PIECE_IDS = 300
export const WORD_PIECE_IDS = 96
export const UNIGRAM_IDS = 64

const PIECES = [
  "▁",
  "▁the",
  "▁a",
  "e",
  "t",
  "a",
  "o",
  "n",
  "i",
  "s",
  "r",
  "h",
  "▁t",
  "he",
  "in",
  "an",
  "er",
  "th",
]

/** A SentencePiece model with tokens for bytes; 300 ids, of which the last ones are unused. */
export function pieceTokenizer(): TokenizerFileSet {
  const pieces: [string, number, number][] = [
    ["<unk>", 0, 2],
    ["<s>", 0, 3],
    ["</s>", 0, 3],
    ...Array.from({ length: 256 }, (_, byte): [string, number, number] => [
      `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
      0,
      6,
    ]),
    ...PIECES.map((text, index): [string, number, number] => [text, -index, 1]),
  ]
  const config = {
    tokenizer_class: "LlamaTokenizer",
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    add_bos_token: true,
    add_eos_token: false,
    chat_template: TEMPLATE,
    added_tokens_decoder: {
      "0": token("<unk>", true),
      "1": token("<s>", true),
      "2": token("</s>", true),
      "277": token("<|tool|>", false),
      "278": token("a▁b", false),
    },
  }
  const body = pieces.map(([text, score, type]) => {
    const bytes = Buffer.from(text)
    const number = Buffer.alloc(4)
    number.writeFloatLE(score)
    return field(1, Buffer.concat([field(1, bytes), Buffer.of(0x15), number, Buffer.of(0x18, type)]))
  })
  const trainer = field(2, Buffer.of(0x18, 2, 0x98, 2, 1))
  const normalizer = field(3, Buffer.of(0x18, 1))
  return {
    "tokenizer.model": Buffer.concat([...body, trainer, normalizer]),
    "tokenizer_config.json": JSON.stringify(config),
  }
}

function token(content: string, special: boolean) {
  return { content, special, lstrip: false, rstrip: false, single_word: false, normalized: false }
}

function field(number: number, content: Uint8Array): Buffer {
  const length: number[] = []
  for (let rest = content.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest < 128) break
  }
  return Buffer.concat([Buffer.of((number << 3) | 2, ...length), content])
}

/** BERT's word pieces: letters and digits. */
export function wordPieceTokenizer(): TokenizerFileSet {
  const vocab: Record<string, number> = {}
  const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789.,!?"]
  for (const text of [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    ...letters,
    ...letters.map((x) => `##${x}`),
  ])
    vocab[text] = Object.keys(vocab).length
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
  const part = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({ id: vocab[content], ...token(content, true) })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [part("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, part("[SEP]")],
      pair: [
        part("[CLS]"),
        { Sequence: { id: "A", type_id: 0 } },
        part("[SEP]"),
        { Sequence: { id: "B", type_id: 1 } },
        { SpecialToken: { id: "[SEP]", type_id: 1 } },
      ],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  }
  const config = {
    tokenizer_class: "BertTokenizer",
    do_lower_case: true,
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
    clean_up_tokenization_spaces: false,
  }
  return { "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": JSON.stringify(config) }
}

/** A table of replacements without any: its length, a trie of 256 empty units, and the texts. */
function emptyCharsmap(): Buffer {
  const units = Buffer.alloc(1024)
  return Buffer.concat([Buffer.of(0, 4, 0, 0), units, Buffer.from("x\0")])
}

/** XLM-RoBERTa's: pieces with probabilities. */
export function unigramTokenizer(): TokenizerFileSet {
  const special = ["<s>", "<pad>", "</s>", "<unk>"]
  const letters = [..."abcdefghijklmnopqrstuvwxyz"].map((text, index): [string, number] => [
    text,
    -5 - index / 4,
  ])
  const vocab: [string, number][] = [
    ...special.map((text): [string, number] => [text, -0.5]),
    ...PIECES.filter((text) => text.length !== 1).map((text, index): [string, number] => [
      text,
      -2.5 - index,
    ]),
    ["▁", -3.5],
    ...letters,
  ]
  while (vocab.length < UNIGRAM_IDS - 1) vocab.push([`▁w${vocab.length}`, -9.5])
  vocab.push(["<mask>", -0.5])
  const part = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [...special, "<mask>"].map((content) => ({
      id: vocab.findIndex(([text]) => text === content),
      ...token(content, true),
    })),
    normalizer: {
      type: "Precompiled",
      precompiled_charsmap: emptyCharsmap().toString("base64"),
    },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: {
      type: "TemplateProcessing",
      single: [part("<s>"), { Sequence: { id: "A", type_id: 0 } }, part("</s>")],
      pair: [
        part("<s>"),
        { Sequence: { id: "A", type_id: 0 } },
        part("</s>"),
        part("</s>"),
        { Sequence: { id: "B", type_id: 0 } },
        part("</s>"),
      ],
      special_tokens: {
        "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] },
        "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] },
      },
    },
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    model: { type: "Unigram", unk_id: 3, vocab, byte_fallback: false },
  }
  const config = {
    tokenizer_class: "XLMRobertaTokenizer",
    bos_token: "<s>",
    eos_token: "</s>",
    sep_token: "</s>",
    cls_token: "<s>",
    unk_token: "<unk>",
    pad_token: "<pad>",
    mask_token: "<mask>",
    clean_up_tokenization_spaces: true,
  }
  return { "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": JSON.stringify(config) }
}
