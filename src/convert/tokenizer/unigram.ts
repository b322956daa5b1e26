import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt } from "../../lib/json"
import { specialTokenText, type TokenizerFiles, vocabularySize } from "./files"
import { parsePieceModel } from "./sentencepiece"
import { TOKEN, TokenRows, type GgufVocabulary } from "./vocabulary"

/** The tokens that XLM-RoBERTa puts before the pieces, in place of SentencePiece's first three. */
const FIRST = [
  ["<s>", TOKEN.control],
  ["<pad>", TOKEN.control],
  ["</s>", TOKEN.control],
  ["<unk>", TOKEN.unknown],
] as const
const SHIFT = FIRST.length - 3

/** A vocabulary of pieces with probabilities, from sentencepiece.bpe.model or tokenizer.json. */
export function unigramVocabulary(files: TokenizerFiles, config: JsonRecord): GgufVocabulary {
  return files.folder.has("sentencepiece.bpe.model") && files.pieces !== undefined
    ? fromPieces(files, files.pieces, config)
    : fromJson(files, config)
}

function fromPieces(files: TokenizerFiles, bytes: Uint8Array, config: JsonRecord): GgufVocabulary {
  const { folder } = files
  const model = parsePieceModel(folder, bytes)
  if (model.modelType !== 1)
    throw new InvalidModelFile(
      join(folder.path, "sentencepiece.bpe.model"),
      "it is not a model of pieces with probabilities",
    )
  const table = new TokenRows(Math.max(vocabularySize(folder, config) ?? 0, model.pieces.length))
  for (const [index, { text, score, type }] of model.pieces.entries()) {
    const kept = type === TOKEN.userDefined ? TOKEN.normal : type
    if (index >= 3) table.set(index + SHIFT, text, kept, score)
  }
  for (const [id, [text, type]] of FIRST.entries()) table.set(id, text, type, 0)
  return {
    model: "t5",
    pre: "default",
    ...table,
    addSpacePrefix: model.addDummyPrefix,
    removeExtraWhitespace: model.removeExtraWhitespace,
    ...(model.charsmap.length > 0 && { charsmap: model.charsmap }),
  }
}

function fromJson(files: TokenizerFiles, config: JsonRecord): GgufVocabulary {
  const { folder, json, config: settings, added } = files
  const path = join(folder.path, "tokenizer.json")
  const model = recordAt(json, "model")
  const pieces = model?.["vocab"]
  if (textAt(model, "type") !== "Unigram" || !Array.isArray(pieces))
    throw new InvalidModelFile(path, "it is not a tokenizer of pieces with probabilities")
  const table = new TokenRows(Math.max(vocabularySize(folder, config) ?? 0, pieces.length))
  const specials = new Set(added.filter(({ isSpecial }) => isSpecial).map(({ id }) => id))
  const others = new Set(added.map(({ id }) => id))
  const unknownText = specialTokenText(settings?.["unk_token"])
  const unknown =
    added.find(({ text }) => text === unknownText)?.id ?? (model && numberAt(model, "unk_id")) ?? 3
  for (const [id, piece] of pieces.entries()) {
    const [text, score] = Array.isArray(piece) ? (piece as readonly unknown[]) : []
    if (typeof text !== "string" || typeof score !== "number")
      throw new InvalidModelFile(path, `its piece ${id} is not a text and a number`)
    const type =
      id === unknown
        ? TOKEN.unknown
        : specials.has(id)
          ? TOKEN.control
          : others.has(id)
            ? TOKEN.userDefined
            : TOKEN.normal
    table.set(id, text, type, score)
  }
  const charsmap = charsmapOf(json)
  return {
    model: "t5",
    pre: "default",
    ...table,
    addSpacePrefix: settings?.["add_prefix_space"] !== false,
    removeExtraWhitespace: settings?.["clean_up_tokenization_spaces"] !== false,
    ...(charsmap !== undefined && { charsmap }),
  }
}

/** The table of a normalizer that SentencePiece compiled, alone or among several. */
function charsmapOf(json: JsonRecord | undefined): Uint8Array | undefined {
  const normalizer = recordAt(json, "normalizer")
  const all = normalizer === undefined ? [] : [normalizer, ...recordsAt(normalizer, "normalizers")]
  const encoded = all.map((each) => textAt(each, "precompiled_charsmap")).find((each) => each !== undefined)
  return encoded === undefined || encoded === "" ? undefined : Buffer.from(encoded, "base64")
}
