import { CannotConvert } from "../../errors/convert"
import { type JsonRecord, recordAt, textAt } from "../../lib/json"
import type { TokenizerKind } from "../architectures/architecture"
import type { MetadataFields } from "../fields"
import { jsonTokens, mergesOf } from "./bpe"
import type { TokenizerFiles } from "./files"
import { hasPieceJson, pieceVocabulary, pieceVocabularyFromJson } from "./pieces"
import { findPreTokenizer } from "./pre-tokenizer"
import { unigramVocabulary } from "./unigram"
import { TOKEN, type GgufVocabulary } from "./vocabulary"

export interface VocabularyRequest {
  readonly files: TokenizerFiles
  /** config.json, with its text part. */
  readonly config: JsonRecord
  readonly kinds: readonly TokenizerKind[]
  /** Given by the caller instead of the one that is recognized. */
  readonly pre: string | undefined
  readonly warn: (message: string) => void
}

/** The vocabulary of a folder, of the first kind that it has the files of. @throws CannotConvert if it has none */
export async function readVocabulary(request: VocabularyRequest): Promise<GgufVocabulary> {
  const { files, config, kinds } = request
  const type = textAt(recordAt(files.json, "model"), "type")
  for (const kind of kinds) {
    switch (kind) {
      case "sentencepiece":
        if (files.pieces !== undefined && files.folder.has("tokenizer.model"))
          return pieceVocabulary(files, config)
        break
      case "spm-json":
        if (hasPieceJson(files)) return pieceVocabularyFromJson(files, config)
        break
      case "bpe":
        if (type === "BPE") return await bytePairs(request)
        break
      case "wordpiece":
        if (type === "WordPiece") return await wordPieces(request)
        break
      case "unigram":
        if (type === "Unigram" || files.folder.has("sentencepiece.bpe.model"))
          return unigramVocabulary(files, config)
    }
  }
  // Gemma and Qwen are published with a tokenizer.json of pieces only, too.
  if (kinds.includes("sentencepiece") && hasPieceJson(files)) return pieceVocabularyFromJson(files, config)
  throw new CannotConvert(files.folder.path, missing(files, type))
}

function missing({ folder }: TokenizerFiles, type: string | undefined): string {
  if (type !== undefined)
    return `its tokenizer is of the type ${type}, which does not belong to this architecture`
  const found = ["vocab.json", "merges.txt", "vocab.txt", "tekken.json"].filter((name) => folder.has(name))
  const only = found.length === 0 ? "" : `, only ${found.join(" and ")}`
  return `it has no tokenizer.json or tokenizer.model${only}; save the tokenizer again with transformers' save_pretrained`
}

async function bytePairs({ files, config, pre, warn }: VocabularyRequest): Promise<GgufVocabulary> {
  const table = jsonTokens(files, config)
  const merges = mergesOf(files) ?? []
  return { model: "gpt2", pre: pre ?? (await recognized(files, warn)), ...table, merges }
}

async function recognized(files: TokenizerFiles, warn: (message: string) => void): Promise<string> {
  const { name, isGuess } = await findPreTokenizer(files)
  if (isGuess)
    warn(
      `the tokenizer is not a known one; by its pattern it divides texts as '${name}' does (--pre names another)`,
    )
  return name
}

/** BERT's: parts that continue a word are marked; in a GGUF it is those that begin one. */
async function wordPieces({ files, config, pre }: VocabularyRequest): Promise<GgufVocabulary> {
  const table = jsonTokens(files, config)
  const tokens = table.tokens.map((text, id) => {
    if (table.types[id] === TOKEN.control) return text
    return text.startsWith("##") ? text.slice(2) : `▁${text}`
  })
  // llama.cpp divides all of these texts in one way.
  const name = pre ?? (await findPreTokenizer(files).catch(() => ({ name: "default" }))).name
  return { model: "bert", pre: name, tokens, types: table.types }
}

export function setVocabularyFields(fields: MetadataFields, vocabulary: GgufVocabulary): void {
  const key = (name: string) => `tokenizer.ggml.${name}`
  fields.text(key("model"), vocabulary.model)
  fields.text(key("pre"), vocabulary.pre)
  fields.texts(key("tokens"), vocabulary.tokens)
  if (vocabulary.model === "llama" || vocabulary.model === "t5") fields.f32s(key("scores"), vocabulary.scores)
  fields.i32s(key("token_type"), vocabulary.types)
  fields.texts(key("merges"), vocabulary.merges)
  fields.flag(key("add_space_prefix"), vocabulary.addSpacePrefix)
  fields.flag(key("remove_extra_whitespaces"), vocabulary.removeExtraWhitespace)
  fields.bytes(key("precompiled_charsmap"), vocabulary.charsmap)
}
