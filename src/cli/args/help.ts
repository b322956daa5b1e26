import { flagName } from "../../config/load"
import type { CommandDescription } from "./command"
import type { Flag, FlagTable } from "./flags"

/** Longer lines are hard to read. Also the width without a terminal. */
const WIDTH = 100

/** The line length of help on a terminal with this many columns. */
function widthOn(terminal: number | undefined): number {
  return Math.min(WIDTH, Math.max(20, terminal ?? WIDTH))
}

/** The text of `xllm COMMAND --help`. */
export function commandHelp<F extends FlagTable>(
  command: Omit<CommandDescription<F>, "run">,
  terminal?: number,
): string {
  const usage = ["xllm", command.name, command.words, "[FLAGS]"].filter((word) => word !== "").join(" ")
  const sections = [
    `${paragraphs(command.summary, terminal)}\n`,
    `Usage:\n  ${usage}\n`,
    ...(command.details === undefined ? [] : [`${paragraphs(command.details, terminal)}\n`]),
    `Examples:\n${columns(
      command.examples.map(({ line, does }) => [line, does]),
      terminal,
    )}`,
    ...flagSections(command.flags, terminal),
  ]
  return sections.join("\n")
}

/** Wraps text to the terminal's width; an empty line separates paragraphs. */
export function paragraphs(text: string, terminal?: number): string {
  const all = text.trim().split(/\n\s*\n/)
  return all.map((one) => wrap(one.replace(/\s+/g, " ").trim(), widthOn(terminal)).join("\n")).join("\n\n")
}

function flagSections(flags: FlagTable, terminal: number | undefined): readonly string[] {
  const groups = new Map<string, [string, string][]>([["Flags", []]])
  for (const [key, flag] of Object.entries(flags)) {
    const group = flag.group ?? "Flags"
    groups.set(group, [...(groups.get(group) ?? []), [flagUsage(key, flag), flag.description]])
  }
  groups.get("Flags")?.push(["-h, --help", "show this help"])
  return Array.from(groups, ([group, rows]) => `${group}:\n${columns(rows, terminal)}`)
}

function flagUsage(key: string, { value, short, bare }: Flag<unknown>): string {
  const start = short === undefined ? "    " : `-${short}, `
  return `${start}--${flagName(key)}${valueUsage(value.placeholder, bare !== undefined)}`
}

function valueUsage(placeholder: string | undefined, isOptional: boolean): string {
  if (placeholder === undefined) return ""
  return isOptional ? `[=${placeholder}]` : ` ${placeholder}`
}

/** Two indented columns; the second is wrapped within itself, and starts on a new line if the first is long. */
export function columns(rows: readonly (readonly [string, string])[], terminal?: number): string {
  const width = widthOn(terminal)
  const widest = Math.max(...rows.map(([left]) => left.length))
  const left = Math.min(widest, 34, Math.floor(width / 2) - 4)
  const lines: string[] = []
  for (const [name, text] of rows) {
    const wrapped = wrap(text, width - left - 4)
    if (name.length > left)
      lines.push(...wrap(name, width - 4).map((line, index) => `${index === 0 ? "  " : "    "}${line}`))
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
