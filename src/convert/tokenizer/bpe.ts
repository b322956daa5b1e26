import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, recordAt } from "../../lib/json"
import { checkedId, type TokenizerFiles, vocabularySize } from "./files"
import { looksSpecial, plainText, TOKEN, TokenRows } from "./vocabulary"

/** Stands for a space within tokens of bytes. */
const BYTE_SPACE = "Ġ"

/** The tokens of tokenizer.json by their ids, with those that were added. */
export function jsonTokens(files: TokenizerFiles, config: JsonRecord): TokenRows {
  const { folder, json, added, configured } = files
  const path = join(folder.path, "tokenizer.json")
  const vocabulary = recordAt(recordAt(json, "model"), "vocab")
  if (vocabulary === undefined) throw new InvalidModelFile(path, "its model has no vocabulary")
  const entries = Object.entries(vocabulary).map(
    ([text, id]) => [text, checkedId(folder, "tokenizer.json", id)] as const,
  )
  const known = new Set(added.map(({ id }) => id))
  const others = configured.filter(({ id }) => !known.has(id))
  const extra = [...added, ...others]
  const largest = [...entries.map(([, id]) => id), ...extra.map(({ id }) => id)].reduce(
    (most, id) => Math.max(most, id),
    -1,
  )
  const size = vocabularySize(folder, config) ?? largest + 1
  if (largest < 0) throw new InvalidModelFile(path, "it has no tokens")
  if (largest >= size)
    throw new InvalidModelFile(
      path,
      `it has a token with the id ${largest}, but the model has only ${size} tokens ('vocab_size' in config.json)`,
    )
  const table = new TokenRows(size)
  for (const [text, id] of entries) table.set(id, text, TOKEN.normal)
  for (const { id, text, isSpecial } of extra) {
    const isControl = isSpecial || looksSpecial(text)
    table.set(id, isControl ? text : plainText(text), isControl ? TOKEN.control : TOKEN.userDefined)
  }
  return table
}

/**
 * The pairs that are merged, in their order, with a space between the two parts. `space`: what stands for a space in a
 * part.
 */
export function mergesOf(
  { json, folder }: TokenizerFiles,
  space = BYTE_SPACE,
): readonly string[] | undefined {
  const merges = recordAt(json, "model")?.["merges"]
  if (!Array.isArray(merges)) return undefined
  return merges.map((merge: unknown) => {
    if (typeof merge === "string") return merge
    if (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === "string"))
      return merge.map((part: string) => part.replaceAll(" ", space)).join(" ")
    throw new InvalidModelFile(join(folder.path, "tokenizer.json"), "a merge is not a pair of texts")
  })
}
