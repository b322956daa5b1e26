import type { JsonRecord } from "../../lib/json"
import { SPLIT_PATTERNS } from "../tokenizer/patterns"
import { TOKEN } from "../tokenizer/vocabulary"
import type { GgufSource } from "./gguf-source"
import { withoutUndefined } from "./hf-config"

/** Files by name, and what could not be recovered. */
export interface RecoveredFiles {
  readonly files: Readonly<Record<string, string | Uint8Array>>
  readonly warnings: readonly string[]
}

const ROLES = { bos: "bos", eos: "eos", unknown: "unk", padding: "pad" } as const

/** The files of a tokenizer: tokenizer.json for byte pairs, tokenizer.model for pieces. */
export function hfTokenizer(source: GgufSource): RecoveredFiles {
  const tokens = source.list("tokenizer.ggml.tokens").map(String)
  const types = source.list("tokenizer.ggml.token_type").map(Number)
  const model = source.text("tokenizer.ggml.model")
  const warnings: string[] = []
  const files: Record<string, string | Uint8Array> = {}
  if (model === "gpt2") {
    const pre = preTokenizer(source.text("tokenizer.ggml.pre") ?? "")
    if (pre === undefined)
      warnings.push(
        `tokenizer.json is missing: how '${source.text("tokenizer.ggml.pre") ?? ""}' divides texts is not known in its form`,
      )
    else files["tokenizer.json"] = JSON.stringify(bytePairJson(source, tokens, types, pre))
  } else if (model === "llama") files["tokenizer.model"] = pieceModel(source, tokens, types)
  else warnings.push(`the tokenizer is missing: there is no form for '${model ?? "none"}'`)
  files["tokenizer_config.json"] = JSON.stringify(tokenizerConfig(source, tokens, types, model), undefined, 2)
  return { files, warnings }
}

function added(tokens: readonly string[], types: readonly number[]) {
  return tokens.flatMap((content, id) => {
    const type = types[id]
    if (type !== TOKEN.control && type !== TOKEN.userDefined) return []
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false }
    return [{ id, content, ...flags, special: type === TOKEN.control }]
  })
}

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }

function preTokenizer(name: string): JsonRecord | undefined {
  if (name === "gpt-2" || name === "default") return BYTE_LEVEL
  if (name === "smollm")
    return { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, BYTE_LEVEL] }
  const known = name === "deepseek-r1-qwen" || name === "qwen35" ? "qwen2" : name
  const pattern = SPLIT_PATTERNS.find(([, each]) => each === known)?.[0]
  if (pattern === undefined) return undefined
  const split = { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false }
  return { type: "Sequence", pretokenizers: [split, { ...BYTE_LEVEL, use_regex: false }] }
}

function bytePairJson(
  source: GgufSource,
  tokens: readonly string[],
  types: readonly number[],
  pre: JsonRecord,
): JsonRecord {
  const name = source.text("tokenizer.ggml.pre")
  const vocab: Record<string, number> = {}
  for (const [id, text] of tokens.entries())
    if (types[id] !== TOKEN.unused && types[id] !== TOKEN.userDefined) vocab[text] = id
  const bosId = source.number("tokenizer.ggml.bos_token_id")
  const bos = bosId === undefined ? undefined : tokens[bosId]
  const isAdded = source.flag("tokenizer.ggml.add_bos_token") === true && bos !== undefined
  const part = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })
  const text = (id: string, type_id: number) => ({ Sequence: { id, type_id } })
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added(tokens, types),
    normalizer: name === "qwen2" ? { type: "NFC" } : null,
    pre_tokenizer: pre,
    post_processor: isAdded
      ? {
          type: "TemplateProcessing",
          single: [part(bos, 0), text("A", 0)],
          pair: [part(bos, 0), text("A", 0), part(bos, 1), text("B", 1)],
          special_tokens: { [bos]: { id: bos, ids: [bosId], tokens: [bos] } },
        }
      : null,
    decoder: BYTE_LEVEL,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: name === "llama-bpe",
      vocab,
      merges: source.list("tokenizer.ggml.merges").map((merge) => String(merge).split(" ")),
    },
  }
}

function tokenizerConfig(
  source: GgufSource,
  tokens: readonly string[],
  types: readonly number[],
  model: string | undefined,
): JsonRecord {
  const pieces = source.architecture.startsWith("gemma") ? "GemmaTokenizer" : "LlamaTokenizer"
  const roles = Object.entries(ROLES).map(([role, name]) => {
    const id = source.number(`tokenizer.ggml.${role}_token_id`)
    return [`${name}_token`, id === undefined ? undefined : tokens[id]] as const
  })
  return withoutUndefined({
    tokenizer_class: model === "llama" ? pieces : "PreTrainedTokenizerFast",
    model_max_length: source.own("context_length"),
    clean_up_tokenization_spaces: false,
    add_bos_token: source.flag("tokenizer.ggml.add_bos_token"),
    add_eos_token: source.flag("tokenizer.ggml.add_eos_token"),
    add_prefix_space: source.flag("tokenizer.ggml.add_space_prefix"),
    ...Object.fromEntries(roles),
    chat_template: source.text("tokenizer.chat_template"),
    added_tokens_decoder: Object.fromEntries(added(tokens, types).map(({ id, ...token }) => [id, token])),
  })
}

/** A SentencePiece model of byte pairs: pieces, the trainer's kind of model, and whether texts begin with a space. */
function pieceModel(source: GgufSource, tokens: readonly string[], types: readonly number[]): Uint8Array {
  const scores = source.list("tokenizer.ggml.scores").map(Number)
  const parts: Uint8Array[] = []
  for (const [id, text] of tokens.entries()) {
    const bytes = Buffer.from(text)
    const score = Buffer.alloc(4)
    score.writeFloatLE(scores[id] ?? 0)
    parts.push(
      message(1, Buffer.concat([message(1, bytes), Buffer.of(0x15), score, Buffer.of(0x18, types[id] ?? 1)])),
    )
  }
  const hasPrefix = source.flag("tokenizer.ggml.add_space_prefix") !== false
  parts.push(message(2, Buffer.of(0x18, 2, 0x98, 2, 1)), message(3, Buffer.of(0x18, Number(hasPrefix))))
  return Buffer.concat(parts)
}

/** A field of a protobuf message with bytes. */
function message(number: number, content: Uint8Array): Buffer {
  const length: number[] = []
  let rest = content.length
  for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.of((number << 3) | 2, ...length, rest), content])
}
