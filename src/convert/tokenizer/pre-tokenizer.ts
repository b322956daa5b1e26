import { join } from "node:path"
import { CannotConvert } from "../../errors/convert"
import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, recordAt, recordsAt, textAt } from "../../lib/json"
import { nearest } from "../../lib/text/nearest"
import type { TokenizerFiles } from "./files"
import { SPLIT_PATTERNS } from "./patterns"
import table from "./pre-tokenizers.json"

/** Tokenizing the text takes milliseconds, reading a large vocabulary a second. */
const PATIENCE_MS = 60_000

const HASHES: Readonly<Record<string, string>> = table.hashes

/** The ways to divide a text into words that llama.cpp knows, sorted. */
export function preTokenizerNames(): readonly string[] {
  return [...new Set([...Object.values(HASHES), "default"])].sort()
}

/** @throws CannotConvert for a name that llama.cpp does not know */
export function checkPreTokenizer(name: string): string {
  const names = preTokenizerNames()
  if (names.includes(name)) return name
  const near = nearest(name, names)
  const hint = near === undefined ? "" : `, did you mean '${near}'?`
  throw new CannotConvert("--pre", `there is no pre-tokenizer '${name}'${hint} (known: ${names.join(", ")})`)
}

/** How a pre-tokenizer was recognized. */
export interface FoundPreTokenizer {
  readonly name: string
  /** By its pattern only. */
  readonly isGuess: boolean
}

/**
 * The name of a tokenizer's way to divide texts: by the ids of a text that was chosen to tell them apart; for a new
 * vocabulary by its patterns.
 * @throws CannotConvert for one that is not known
 */
export async function findPreTokenizer(files: TokenizerFiles): Promise<FoundPreTokenizer> {
  const { json = {}, config = {}, folder } = files
  const hash = await hashOf(json, config, join(folder.path, "tokenizer.json"))
  const known = Object.hasOwn(HASHES, hash) ? HASHES[hash] : undefined
  if (known !== undefined) return { name: known, isGuess: false }
  const guess = guessByPattern(json)
  if (guess !== undefined) return { name: guess, isGuess: true }
  throw new CannotConvert(
    folder.path,
    "its tokenizer divides texts in a way that is not known; name the one that is most like it with --pre " +
      `(${preTokenizerNames().join(", ")})`,
  )
}

function guessByPattern(json: JsonRecord): string | undefined {
  const pre = recordAt(json, "pre_tokenizer")
  if (pre === undefined) return undefined
  const all = textAt(pre, "type") === "Sequence" ? recordsAt(pre, "pretokenizers") : [pre]
  const types = all.map((each) => textAt(each, "type"))
  const [first] = all
  if (types.length === 1 && types[0] === "ByteLevel" && first?.["use_regex"] !== false) return "gpt-2"
  if (types.join() === "Digits,ByteLevel" && first?.["individual_digits"] === true) return "smollm"
  const pattern = textAt(recordAt(first, "pattern"), "Regex")
  if (types.join() !== "Split,ByteLevel" || pattern === undefined) return undefined
  return SPLIT_PATTERNS.find(([known]) => known === pattern)?.[1]
}

async function hashOf(json: JsonRecord, config: JsonRecord, path: string): Promise<string> {
  const thread = new Worker(new URL("./hash-thread.ts", import.meta.url).href)
  const answer = Promise.withResolvers<{ hash?: string; reason?: string }>()
  thread.onmessage = ({ data }: MessageEvent<{ hash?: string; reason?: string }>) => answer.resolve(data)
  thread.onerror = ({ message }) => answer.resolve({ reason: message })
  const timer = setTimeout(() => answer.resolve({ reason: "it takes too long" }), PATIENCE_MS)
  try {
    thread.postMessage({ json, config, text: table.text })
    const { hash, reason = "" } = await answer.promise
    if (hash === undefined) throw new InvalidModelFile(path, `its tokenizer cannot be used: ${reason}`)
    return hash
  } finally {
    clearTimeout(timer)
    thread.terminate()
  }
}
