import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, textAt, toRecord } from "../../lib/json"
import { CONVERT, TOKENIZER_JSON_SHAPE } from "../../limits"
import type { HfFolder } from "../source/folder"

const ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map((role) => `${role}_token`)
/** How Qwen's classes divide texts; others do as GPT-2. */
const QWEN_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/**
 * What tokenizer.json would say, for a folder that has byte pairs only in the older files vocab.json and merges.txt;
 * `undefined` without them. What they do not say is as transformers' classes have it.
 * @throws InvalidModelFile
 */
export async function readPairFiles(
  folder: HfFolder,
  config: JsonRecord | undefined,
): Promise<JsonRecord | undefined> {
  const vocab = await folder.json("vocab.json", CONVERT.tokenizerBytes, TOKENIZER_JSON_SHAPE)
  const text = await folder.text("merges.txt", CONVERT.tokenizerBytes)
  if (vocab === undefined || text === undefined) return undefined
  const merges = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"))
  const wrong = merges.find((line) => !/^\S+ \S+$/.test(line))
  if (wrong !== undefined)
    throw new InvalidModelFile(
      join(folder.path, "merges.txt"),
      `'${wrong.slice(0, 40)}' is not a pair of texts`,
    )
  const special = new Set(await specialTokens(folder, config))
  const listed = Object.entries((await folder.json("added_tokens.json")) ?? {})
  const added = [...Object.entries(vocab).filter(([content]) => special.has(content)), ...listed].map(
    ([content, id]) => ({ id, content, special: special.has(content), normalized: false }),
  )
  const className = textAt(config, "tokenizer_class") ?? ""
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true }
  const isQwen = className.startsWith("Qwen2")
  return {
    added_tokens: added,
    ...(isQwen && { normalizer: { type: "NFC" } }),
    pre_tokenizer: isQwen
      ? {
          type: "Sequence",
          pretokenizers: [
            { type: "Split", pattern: { Regex: QWEN_PATTERN }, behavior: "Isolated", invert: false },
            { ...bytes, use_regex: false },
          ],
        }
      : { ...bytes, use_regex: true },
    ...(className.includes("Roberta") && { post_processor: { type: "RobertaProcessing" } }),
    decoder: bytes,
    model: { type: "BPE", vocab, merges },
  }
}

async function specialTokens(folder: HfFolder, config: JsonRecord | undefined): Promise<readonly string[]> {
  const map = await folder.json("special_tokens_map.json")
  const textOf = (value: unknown) => (typeof value === "string" ? value : textAt(toRecord(value), "content"))
  return [map, config].flatMap((each) => {
    const others = each?.["additional_special_tokens"]
    const named = ROLES.map((role) => textOf(each?.[role]))
    return [...named, ...(Array.isArray(others) ? others.map(textOf) : [])].filter(
      (text) => text !== undefined,
    )
  })
}
