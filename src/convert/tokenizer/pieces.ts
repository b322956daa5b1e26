import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, recordAt, textAt } from "../../lib/json"
import { checkedId, type TokenizerFiles, vocabularySize } from "./files"
import { mergesOf } from "./bpe"
import { parsePieceModel } from "./sentencepiece"
import { looksSpecial, plainText, TOKEN, TokenRows, type GgufVocabulary } from "./vocabulary"

/** SentencePiece's user-defined pieces are normal ones in a GGUF, as in the reference. */
const PIECE_TYPES: ReadonlySet<number> = new Set([TOKEN.unknown, TOKEN.control, TOKEN.unused, TOKEN.byte])
const ADDED_SCORE = -1000

/** A vocabulary of pieces, from a SentencePiece model. */
export function pieceVocabulary(files: TokenizerFiles, config: JsonRecord): GgufVocabulary {
  const { folder, pieces: bytes = new Uint8Array() } = files
  const { pieces } = parsePieceModel(folder, bytes)
  const table = new TokenRows(vocabularySize(folder, config) ?? pieces.length)
  for (const [id, { text, score, type }] of pieces.entries())
    table.set(id, text, PIECE_TYPES.has(type) ? type : TOKEN.normal, score)
  addTokens(files, table, config)
  return { model: "llama", pre: "default", ...table }
}

function addTokens(files: TokenizerFiles, table: TokenRows, config: JsonRecord): void {
  for (const { id, text } of files.listed) table.set(id, text, TOKEN.userDefined, ADDED_SCORE)
  const isPhi = textAt(config, "model_type") === "phi3"
  // Phi's own reader trusts its files, and reads tokenizer.json as well.
  const later = isPhi ? [...files.configured, ...files.added] : files.configured
  for (const { id, text, isSpecial } of later) {
    const isControl = isSpecial || (!isPhi && looksSpecial(text))
    const plain = isControl || isPhi ? text : plainText(text)
    table.set(id, plain, isControl ? TOKEN.control : TOKEN.userDefined, ADDED_SCORE)
  }
}

/** Is tokenizer.json one of pieces: byte pairs with tokens for single bytes? */
export function hasPieceJson({ json }: TokenizerFiles): boolean {
  const model = recordAt(json, "model")
  return (
    textAt(model, "type") === "BPE" &&
    model?.["byte_fallback"] === true &&
    textAt(recordAt(json, "decoder"), "type") === "Sequence"
  )
}

/**
 * A vocabulary of pieces where there is a tokenizer.json only. The score of a piece is the place of the merge that makes
 * it, so that llama.cpp merges in the same order.
 */
export function pieceVocabularyFromJson(files: TokenizerFiles, config: JsonRecord): GgufVocabulary {
  const { folder, json } = files
  const model = recordAt(json, "model") ?? {}
  const vocabulary = recordAt(model, "vocab") ?? {}
  const ids = new Map<string, number>()
  for (const [text, id] of Object.entries(vocabulary)) ids.set(text, checkedId(folder, "tokenizer.json", id))
  const size = [...ids.values(), ...files.added.map(({ id }) => id)].reduce(
    (most, id) => Math.max(most, id + 1),
    vocabularySize(folder, config) ?? 0,
  )
  if (size === 0) throw new InvalidModelFile(join(folder.path, "tokenizer.json"), "it has no tokens")
  const table = new TokenRows(size)
  for (const [text, id] of ids)
    table.set(id, text, /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? TOKEN.byte : TOKEN.normal, ADDED_SCORE * 1000)
  const made = new Set<number>()
  for (const [rank, merge] of (mergesOf(files, " ") ?? []).entries()) {
    const id = ids.get(merge.replace(" ", ""))
    if (id === undefined || made.has(id)) continue
    made.add(id)
    table.set(id, table.tokens[id] ?? "", table.types[id] ?? TOKEN.normal, -rank)
  }
  const unknown = textAt(model, "unk_token")
  for (const { id, text, isSpecial } of files.added) {
    const isControl = isSpecial || looksSpecial(text)
    const type = text === unknown ? TOKEN.unknown : isControl ? TOKEN.control : TOKEN.userDefined
    table.set(id, type === TOKEN.userDefined ? plainText(text) : text, type, ADDED_SCORE)
  }
  return { model: "llama", pre: "default", ...table }
}
