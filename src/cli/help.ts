import { flagName } from "../config/load"
import type { CommandDescription } from "./command"
import type { Flag, FlagTable } from "./flags"

const WIDTH = 100

/** The text of `xllm COMMAND --help`. */
export function commandHelp<F extends FlagTable>(command: Omit<CommandDescription<F>, "run">): string {
  const usage = ["xllm", command.name, command.words, "[FLAGS]"].filter((word) => word !== "").join(" ")
  const sections = [
    `${command.summary}\n`,
    `Usage:\n  ${usage}\n`,
    ...(command.details === undefined ? [] : [`${command.details.trim()}\n`]),
    `Examples:\n${columns(command.examples.map(({ line, does }) => [line, does]))}`,
    ...flagSections(command.flags),
  ]
  return sections.join("\n")
}

function flagSections(flags: FlagTable): readonly string[] {
  const groups = new Map<string, [string, string][]>([["Flags", []]])
  for (const [key, flag] of Object.entries(flags)) {
    const group = flag.group ?? "Flags"
    groups.set(group, [...(groups.get(group) ?? []), [flagUsage(key, flag), flag.description]])
  }
  groups.get("Flags")?.push(["-h, --help", "show this help"])
  return Array.from(groups, ([group, rows]) => `${group}:\n${columns(rows)}`)
}

function flagUsage(key: string, { value, short }: Flag<unknown>): string {
  const start = short === undefined ? "    " : `-${short}, `
  return `${start}--${flagName(key)}${value.placeholder === undefined ? "" : ` ${value.placeholder}`}`
}

/** Two columns, indented; the second is wrapped below itself, and starts on its own line after a long first. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const widest = Math.max(...rows.map(([left]) => left.length))
  const left = Math.min(widest, 34)
  const lines: string[] = []
  for (const [name, text] of rows) {
    const wrapped = wrap(text, WIDTH - left - 4)
    if (name.length > left) lines.push(`  ${name}`)
    wrapped.forEach((line, index) => {
      const start = index === 0 && name.length <= left ? name : ""
      lines.push(`  ${start.padEnd(left)}  ${line}`)
    })
  }
  return `${lines.join("\n")}\n`
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ""
    }
    line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line]
}
