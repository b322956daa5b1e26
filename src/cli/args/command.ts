import { type CommandDef, defineCommand as cittyCommand, runCommand } from "citty"
import { UsageError } from "../../errors/cli"
import type { CompletedCommand } from "../completion/candidates"
import type { Io } from "../terminal/io"
import { terminalSafe } from "../terminal/output"
import { type FlagTable, type FlagValues, parseArguments } from "./flags"
import { commandHelp } from "./help"

/** A command line that readers can copy, and what it does. */
export interface Example {
  readonly line: string
  readonly does: string
}

/** Describes a command for its help and for parsing its arguments. */
export interface CommandDescription<F extends FlagTable> {
  readonly name: string
  readonly summary: string
  /** The positionals in usage form: `MODEL [PROMPT…]`. */
  readonly words: string
  readonly minimumWords: number
  /** Absent: any number. */
  readonly maximumWords?: number
  readonly flags: F
  /** Paragraphs below the summary. */
  readonly details?: string
  /** The command has its own log, which also warns about unknown environment variables. */
  readonly hasLog?: boolean
  readonly examples: readonly [Example, ...Example[]]
  run(input: {
    readonly flags: FlagValues<F>
    readonly words: readonly string[]
    readonly io: Io
  }): Promise<void>
}

/** A command that can be run without knowing the types of its flags. */
export interface Command {
  /** @param terminal its width in columns; absent: no terminal */
  help(terminal: number | undefined): string
  /** What shell completion needs. */
  readonly usage: CompletedCommand
  /** The command for citty, as a subcommand or on its own. */
  withIo(io: Io): CommandDef
  /** @throws UsageError for invalid arguments, and whatever the command throws */
  execute(argv: readonly string[], io: Io): Promise<void>
}

/** Creates a command from its description: parses its arguments strictly and handles `--help`. */
export function defineCommand<F extends FlagTable>(description: CommandDescription<F>): Command {
  const { name, summary } = description
  const withIo = (io: Io) =>
    // Without `args`: citty would parse the arguments before they are checked.
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

/** A misspelt variable would silently have no effect. */
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
