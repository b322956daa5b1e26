import { type CommandDef, defineCommand as cittyCommand, runCommand } from "citty"
import { UsageError } from "../../errors/cli"
import type { CompletedCommand } from "../completion/candidates"
import type { Io } from "../terminal/io"
import { terminalSafe } from "../terminal/output"
import { type FlagTable, type FlagValues, parseArguments } from "./flags"
import { commandHelp } from "./help"

/** A line that a reader can copy, and what it does. */
export interface Example {
  readonly line: string
  readonly does: string
}

/** What a command is, for its help and for reading its arguments. */
export interface CommandDescription<F extends FlagTable> {
  readonly name: string
  readonly summary: string
  /** The words after the name: `MODEL [PROMPT…]`. */
  readonly words: string
  readonly minimumWords: number
  /** Absent: any number. */
  readonly maximumWords?: number
  readonly flags: F
  /** Paragraphs below the summary. */
  readonly details?: string
  /** It has a log of its own, which tells of environment variables that mean nothing. */
  readonly hasLog?: boolean
  /** At least one. */
  readonly examples: readonly [Example, ...Example[]]
  run(input: {
    readonly flags: FlagValues<F>
    readonly words: readonly string[]
    readonly io: Io
  }): Promise<void>
}

/** A command that can be run without knowing its flags' types. */
export interface Command {
  /** @param terminal how many columns it has; absent: there is none */
  help(terminal: number | undefined): string
  /** What its words are completed by. */
  readonly usage: CompletedCommand
  /** As citty runs it, among others or alone. */
  withIo(io: Io): CommandDef
  /** @throws UsageError for wrong arguments, and what the command itself throws */
  execute(argv: readonly string[], io: Io): Promise<void>
}

/** Makes a command out of its description: reads arguments strictly and answers `--help`. */
export function defineCommand<F extends FlagTable>(description: CommandDescription<F>): Command {
  const { name, summary } = description
  const withIo = (io: Io) =>
    // Without `args`: citty would read the words before they are checked.
    cittyCommand({
      meta: { name, description: summary },
      async run({ rawArgs }) {
        const { flags, words, wantsHelp } = parseArguments(description.flags, rawArgs)
        if (wantsHelp) return io.write(commandHelp(description, io.columns))
        checkWords(description, words)
        if ("config" in description.flags && description.hasLog !== true) await warnOfVariables(io)
        await description.run({ flags, words, io })
      },
    })
  return {
    usage: description,
    help: (terminal) => commandHelp(description, terminal),
    withIo,
    async execute(argv, io) {
      await runCommand(withIo(io), { rawArgs: [...argv] })
    },
  }
}

/** A setting that was misspelt in the environment would change nothing, without a word. */
async function warnOfVariables({ environment, writeError }: Io): Promise<void> {
  if (!Object.keys(environment).some((name) => name.startsWith("XLLM_"))) return
  const { unknownVariables } = await import("../../config/effective")
  for (const problem of unknownVariables(environment)) writeError(`warning: ${terminalSafe(problem)}\n`)
}

type WordRules = Pick<CommandDescription<FlagTable>, "name" | "words" | "minimumWords" | "maximumWords">

function checkWords(
  { name, words: usage, minimumWords, maximumWords }: WordRules,
  words: readonly string[],
): void {
  if (words.length < minimumWords) {
    throw new UsageError(`${name} needs ${usage}; see 'xllm ${name} --help'`)
  }
  if (maximumWords !== undefined && words.length > maximumWords) {
    const extra = words[maximumWords] ?? ""
    throw new UsageError(`${name} does not accept '${extra}'; see 'xllm ${name} --help'`)
  }
}
