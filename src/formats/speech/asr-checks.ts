import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import type { OnnxModel } from "../onnx/read"
import { baseName, folderOf, type SpeechFolder } from "./speech-folder"
import { MOST_TOKENS } from "./tokens"

// Checks for everything that would make the engine abort its process.

const WHOLE_NUMBER = /^\d+$/

/** @throws InvalidModelFile if a key is missing or not a whole number */
export function requireNumbers(file: ModelFolderFile, graph: OnnxModel, keys: readonly string[]): void {
  requireKeys(file, graph, keys)
  const bad = keys.find((key) => !WHOLE_NUMBER.test(graph.metadata.get(key) ?? ""))
  if (bad !== undefined)
    throw new InvalidModelFile(file.path, `its metadata gives '${graph.metadata.get(bad) ?? ""}' for ${bad}`)
}

/** @throws InvalidModelFile if a key is missing or not a comma-separated list of numbers */
export function requireNumberLists(file: ModelFolderFile, graph: OnnxModel, keys: readonly string[]): void {
  requireKeys(file, graph, keys)
  for (const key of keys) {
    const parts = (graph.metadata.get(key) ?? "").split(",")
    if (parts.some((part) => part.trim() === "" || !Number.isFinite(Number(part))))
      throw new InvalidModelFile(file.path, `its metadata has no list of numbers for ${key}`)
  }
}

function requireKeys(file: ModelFolderFile, { metadata }: OnnxModel, keys: readonly string[]): void {
  const missing = keys.filter((key) => !metadata.get(key))
  if (missing.length > 0) throw new InvalidModelFile(file.path, `its metadata lacks ${missing.join(", ")}`)
}

/** Requirements for a token table. */
export interface TokenRules {
  /** All ids below this must have a token. */
  readonly count?: number
  /** There must be no ids from {@link count} on. */
  readonly exactCount?: boolean
  /** At least one token of each group must exist. */
  readonly needed?: readonly (readonly string[])[]
}

/** Names of the blank token of CTC models that the engine accepts. */
export const BLANKS: readonly string[] = ["<blk>", "<eps>", "<blank>"]

/**
 * The token table of a graph: `PREFIX-tokens.txt`, or tokens.txt beside it, or the only one.
 * @throws InvalidModelFile if there is none
 */
export function findTokens(folder: SpeechFolder, graph: ModelFolderFile, prefix = ""): ModelFolderFile {
  const beside = folderOf(graph.name)
  const found =
    folder.named(`${beside}${prefix}tokens.txt`) ??
    folder.named(`${beside}tokens.txt`) ??
    folder.matching(/tokens\.txt$/i)[0]
  if (found === undefined) throw new InvalidModelFile(graph.path, "tokens.txt is missing beside it")
  return found
}

/**
 * Parses a table as the engine does: a line has a token and its id, or only the id, for a space.
 * @throws InvalidModelFile naming the line or token at fault
 */
export async function checkTokens(
  folder: SpeechFolder,
  file: ModelFolderFile,
  { count, exactCount = false, needed = [] }: TokenRules,
): Promise<void> {
  const symbols = parseTable(file.path, await folder.text(file))
  if (symbols.size === 0) throw new InvalidModelFile(file.path, "it has no tokens")
  const highest = count ?? symbols.keys().reduce((most, number) => Math.max(most, number), 0) + 1
  for (let number = 0; number < highest; number++)
    if (!symbols.has(number))
      throw new InvalidModelFile(file.path, `token ${number} of ${highest} is missing`)
  if (exactCount && symbols.size !== highest)
    throw new InvalidModelFile(file.path, `there are ${symbols.size} tokens, but the model has ${highest}`)
  const known = new Set(symbols.values())
  const missing = needed.find((group) => !group.some((symbol) => known.has(symbol)))
  if (missing !== undefined)
    throw new InvalidModelFile(file.path, `it lacks the token ${missing.join(" or ")}`)
}

function parseTable(path: string, text: string): ReadonlyMap<number, string> {
  const symbols = new Map<number, string>()
  const lines = text.split("\n")
  if (lines.length > MOST_TOKENS) throw new InvalidModelFile(path, `it has more than ${MOST_TOKENS} lines`)
  lines.forEach((line, index) => {
    const parts = line.split(/[ \t\r\v\f]+/).filter((part) => part !== "")
    if (parts.length === 0) return
    const number = parts[parts.length - 1] ?? ""
    if (parts.length > 2 || !WHOLE_NUMBER.test(number))
      throw new InvalidModelFile(
        path,
        `line ${index + 1}: '${line.slice(0, 80)}' is not a token and its number`,
      )
    symbols.set(Number(number), parts.length === 1 ? " " : (parts[0] ?? ""))
  })
  return symbols
}

/** Of files in several precisions the quantized one: as accurate on a CPU, and faster. */
export function preferQuantized(files: readonly ModelFolderFile[]): ModelFolderFile | undefined {
  return files.toSorted((left, right) => rank(left) - rank(right))[0]
}

function rank({ name }: ModelFolderFile): number {
  if (/int8/i.test(baseName(name))) return 0
  return /fp16|f16|q4|uint8/i.test(baseName(name)) ? 2 : 1
}
