import { commands } from "../../src/cli/main"

/** A command as described by its help, so that new commands are covered automatically. */
export interface DescribedCommand {
  readonly name: string
  /** The positionals: `MODEL`, `FILE`. */
  readonly words: readonly { readonly word: string; readonly isOptional: boolean }[]
  /** Flags with a value, by name without the hyphens. */
  readonly flags: readonly { readonly name: string; readonly placeholder: string }[]
}

export async function describedCommands(): Promise<readonly DescribedCommand[]> {
  return await Promise.all(
    Object.entries(commands).map(async ([name, entry]) => {
      const { command } = await entry.load()
      const help = command.help(undefined)
      const usage = new RegExp(`^Usage:\\n  xllm ${name}(.*) \\[FLAGS\\]$`, "m").exec(help)?.[1] ?? ""
      const flags = [...help.matchAll(/^  (?:-\w, |    )--([\w-]+) (\S+)/gm)]
      return {
        name,
        words: usage
          .split(" ")
          .filter((word) => word !== "")
          .map((word) => ({ word: word.replace(/[[\]…]/g, ""), isOptional: word.startsWith("[") })),
        flags: flags.map(([, flag = "", placeholder = ""]) => ({ name: flag, placeholder })),
      }
    }),
  )
}
