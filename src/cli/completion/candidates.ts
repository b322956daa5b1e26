import { flagName } from "../../config/load"
import type { ModelKind } from "../../domain/model"
import { kindUsedBy } from "../../domain/tasks"
import type { FlagTable } from "../args/flags"

/** The facts about a command that its completion needs. */
export interface CompletedCommand {
  readonly name: string
  readonly flags: FlagTable
  /** The positionals in usage form: `MODEL [PROMPT…]`. */
  readonly words: string
}

export interface CandidateSources {
  readonly commands: readonly string[]
  /** @returns undefined if there is no such command */
  find(command: string): Promise<CompletedCommand | undefined>
  /** Model names of one kind; absent: of all kinds. */
  models(kind?: ModelKind): Promise<readonly string[]>
}

export interface Candidates {
  /** Complete words that match. */
  readonly words: readonly string[]
  /** Are file names possible too? The shell completes these itself. */
  readonly takesFiles: boolean
}

const NOTHING: Candidates = { words: [], takesFiles: false }
const FILES: Candidates = { words: [], takesFiles: true }

/** Flags of the program itself. */
const OVERALL = ["--help", "--version"]

/** Positionals in usages that are model names. */
const MODEL_WORDS: ReadonlySet<string> = new Set(["MODEL", "SOURCE", "PREFIX"])
const FILE_WORDS: ReadonlySet<string> = new Set(["FILE", "FOLDER", "PATH"])
const SHELLS = ["bash", "zsh", "fish"]

/** Candidates for the last of `words`, which is incomplete; `words` follow the program's name. */
export async function candidates(words: readonly string[], sources: CandidateSources): Promise<Candidates> {
  const current = words.at(-1) ?? ""
  const all = await unfiltered(words.slice(0, -1), current, sources)
  return { ...all, words: all.words.filter((word) => word.startsWith(current)) }
}

async function unfiltered(
  [name, ...before]: readonly string[],
  current: string,
  sources: CandidateSources,
): Promise<Candidates> {
  const commands = { words: [...sources.commands, "help"], takesFiles: false }
  if (name === undefined) return current.startsWith("-") ? { words: OVERALL, takesFiles: false } : commands
  if (name === "help") return before.length === 0 ? commands : NOTHING
  const command = await sources.find(name)
  if (command === undefined) return NOTHING
  const { open, count } = read(before, command.flags)
  if (open !== undefined) return ofPlaceholder(open)
  if (current.startsWith("-") && !before.includes("--")) {
    return {
      words: [...Object.keys(command.flags).map((key) => `--${flagName(key)}`), "--help"],
      takesFiles: false,
    }
  }
  return await ofWord(wordAt(command.words, count), command.name, sources)
}

/** The placeholder of a flag that expects its value, and the number of positionals so far. */
function read(before: readonly string[], flags: FlagTable) {
  let open: string | undefined
  let count = 0
  for (const word of before) {
    if (open !== undefined) open = undefined
    else if (!word.startsWith("-") || word === "-") count++
    else {
      const [, flag] =
        Object.entries(flags).find(
          ([key, { short }]) =>
            word === `--${flagName(key)}` || (short !== undefined && word === `-${short}`),
        ) ?? []
      open = flag?.bare === undefined ? flag?.value.placeholder : undefined
    }
  }
  return { open, count }
}

function ofPlaceholder(placeholder: string): Candidates {
  const choices = placeholder.split("|")
  if (choices.length === 1) return FILE_WORDS.has(placeholder) ? FILES : NOTHING
  // Placeholders are in capitals.
  const words = choices.filter((choice) => /^[^A-Z]+$/.test(choice) && choice !== "-")
  return { words, takesFiles: choices.includes("FILE") }
}

/**
 * The positional at an index, such as `MODEL` of `MODEL [PROMPT…]` at 0; the last one repeats if it ends in an
 * ellipsis.
 */
function wordAt(usage: string, count: number): string | undefined {
  const words = usage.split(" ").map((word) => word.replace(/[[\]]/g, ""))
  const last = words.at(-1)
  return (words[count] ?? (last?.endsWith("…") ? last : undefined))?.replace("…", "")
}

async function ofWord(
  word: string | undefined,
  command: string,
  { models }: CandidateSources,
): Promise<Candidates> {
  if (word === undefined) return NOTHING
  if (MODEL_WORDS.has(word)) {
    return { words: await models(kindUsedBy(command)), takesFiles: word === "MODEL" }
  }
  if (word === "SHELL") return { words: SHELLS, takesFiles: false }
  return ofPlaceholder(word)
}
