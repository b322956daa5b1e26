import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt, toRecord } from "../../lib/json"
import { CONVERT, TOKENIZER_JSON_SHAPE } from "../../limits"
import type { HfFolder } from "../source/folder"
import { readPairFiles } from "./pair-files"

/** A token beside the vocabulary of the model. */
export interface AddedToken {
  readonly id: number
  readonly text: string
  readonly isSpecial: boolean
}

/** What a folder says about its tokenizer. */
export interface TokenizerFiles {
  readonly folder: HfFolder
  /** tokenizer.json, or what the older files of byte pairs say. */
  readonly json: JsonRecord | undefined
  /** tokenizer_config.json */
  readonly config: JsonRecord | undefined
  /** tokenizer.model, or sentencepiece.bpe.model of models with pieces. */
  readonly pieces: Uint8Array | undefined
  /** Of tokenizer.json. */
  readonly added: readonly AddedToken[]
  /** Of tokenizer_config.json. */
  readonly configured: readonly AddedToken[]
  /** Of added_tokens.json. */
  readonly listed: readonly AddedToken[]
}

export async function readTokenizerFiles(folder: HfFolder): Promise<TokenizerFiles> {
  const own = await folder.json("tokenizer.json", CONVERT.tokenizerBytes, TOKENIZER_JSON_SHAPE)
  const config = await folder.json("tokenizer_config.json", CONVERT.indexBytes, TOKENIZER_JSON_SHAPE)
  const listed = await folder.json("added_tokens.json", CONVERT.textBytes, TOKENIZER_JSON_SHAPE)
  const pieces =
    (await folder.bytes("tokenizer.model", CONVERT.tokenizerBytes)) ??
    (await folder.bytes("sentencepiece.bpe.model", CONVERT.tokenizerBytes))
  const json = own ?? (pieces === undefined ? await readPairFiles(folder, config) : undefined)
  return {
    folder,
    json,
    config,
    pieces,
    added: json === undefined ? [] : addedTokens(folder, json),
    configured: configuredTokens(folder, config),
    listed: Object.entries(listed ?? {}).map(([text, id]) => ({
      id: checkedId(folder, "added_tokens.json", id),
      text,
      isSpecial: false,
    })),
  }
}

function addedTokens(folder: HfFolder, json: JsonRecord): readonly AddedToken[] {
  return recordsAt(json, "added_tokens").map((token) => ({
    id: checkedId(folder, "tokenizer.json", token["id"]),
    text: textAt(token, "content") ?? "",
    isSpecial: token["special"] === true,
  }))
}

function configuredTokens(folder: HfFolder, config: JsonRecord | undefined): readonly AddedToken[] {
  return Object.entries(recordAt(config, "added_tokens_decoder") ?? {}).flatMap(([id, value]) => {
    const token = toRecord(value)
    const text = textAt(token, "content")
    if (token === undefined || text === undefined) return []
    return [
      {
        id: checkedId(folder, "tokenizer_config.json", Number(id)),
        text,
        isSpecial: token["special"] === true,
      },
    ]
  })
}

/** @throws InvalidModelFile for what cannot be the id of a token */
export function checkedId(folder: HfFolder, file: string, id: unknown): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < CONVERT.tokens) return id
  throw new InvalidModelFile(join(folder.path, file), `a token has the id ${String(id)}`)
}

/** The text of a special token: in its place, or in an object with its properties. */
export function specialTokenText(value: unknown): string | undefined {
  return typeof value === "string" ? value : textAt(toRecord(value), "content")
}

/** The size of a vocabulary that a configuration gives. @throws InvalidModelFile */
export function vocabularySize(folder: HfFolder, config: JsonRecord): number | undefined {
  const size = numberAt(config, "vocab_size")
  if (size === undefined) return undefined
  if (Number.isInteger(size) && size > 0 && size <= CONVERT.tokens) return size
  throw new InvalidModelFile(
    join(folder.path, "config.json"),
    `'vocab_size' is ${size}, not between 1 and ${CONVERT.tokens}`,
  )
}
