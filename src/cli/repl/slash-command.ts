import { nearest } from "../../lib/text/nearest"

export const showTopics = ["info", "license", "modelfile", "parameters", "system", "template"] as const
export type ShowTopic = (typeof showTopics)[number]

/** Help pages; the first is the overview. */
export const helpTopics = ["commands", "set", "show", "shortcuts"] as const
export type HelpTopic = (typeof helpTopics)[number]

/** A line of a conversation that is a command. */
export type SlashCommand =
  | { readonly type: "help"; readonly topic: HelpTopic }
  | { readonly type: "exit" }
  | { readonly type: "clear" }
  | { readonly type: "set-parameter"; readonly name: string; readonly values: readonly string[] }
  | { readonly type: "set-system"; readonly text: string }
  | { readonly type: "set-verbose"; readonly isOn: boolean }
  | { readonly type: "set-history"; readonly isOn: boolean }
  | { readonly type: "set-wordwrap"; readonly isOn: boolean }
  /** Absent: any text. */
  | { readonly type: "set-format"; readonly format?: string }
  /** `true`, `false` or a level. */
  | { readonly type: "set-think"; readonly value: string }
  | { readonly type: "save"; readonly name: string }
  | { readonly type: "show"; readonly topic: ShowTopic }
  | { readonly type: "load"; readonly model: string }
  | { readonly type: "list"; readonly prefix: string }
  /** Shows a file with the next question. */
  | { readonly type: "image"; readonly path: string }
  /** Looks like a command but is not valid; the text is the usage to show. */
  | { readonly type: "mistake"; readonly text: string }

const names = ["/?", "/help", "/bye", "/exit", "/clear", "/set", "/show", "/save", "/load", "/list", "/image"]
const switches = [
  "parameter",
  "system",
  "verbose",
  "quiet",
  "wordwrap",
  "nowordwrap",
  "format",
  "noformat",
  "think",
  "nothink",
  "history",
  "nohistory",
]

/**
 * Parses a line that begins with a slash; `undefined` for a message. `/usr/bin` and the like are messages: a second
 * slash in the first word rules out a command.
 */
export function parseSlashCommand(line: string): SlashCommand | undefined {
  const [name = "", ...words] = line.trim().split(/\s+/)
  if (!name.startsWith("/") || name.indexOf("/", 1) !== -1) return undefined
  switch (name) {
    case "/?":
    case "/help":
      return help(words[0])
    case "/bye":
    case "/exit":
      return { type: "exit" }
    case "/clear":
      return { type: "clear" }
    case "/set":
      return parseSet(line.trim(), words)
    case "/show":
      return parseShow(words[0])
    case "/save":
      return words[0] === undefined || words.length > 1
        ? mistake("Usage: /save NAME")
        : { type: "save", name: words[0] }
    case "/load":
      return words[0] === undefined ? mistake("Usage: /load MODEL") : { type: "load", model: words.join(" ") }
    case "/list":
      return { type: "list", prefix: words[0] ?? "" }
    case "/image":
      // File names may have spaces.
      return words.length === 0
        ? mistake("Usage: /image FILE")
        : { type: "image", path: unquoted(line.trim().slice(name.length).trim()) }
    default:
      return unknown("command", name, names)
  }
}

function parseSet(line: string, [what, ...rest]: readonly string[]): SlashCommand {
  switch (what) {
    case "parameter": {
      const [name, ...values] = rest
      return name === undefined
        ? mistake("Usage: /set parameter NAME VALUE")
        : { type: "set-parameter", name, values }
    }
    case "system":
      // Keeps the text's own spaces and line breaks.
      return { type: "set-system", text: line.replace(/^\/set\s+system\s*/, "") }
    case "verbose":
    case "quiet":
      return { type: "set-verbose", isOn: what === "verbose" }
    case "wordwrap":
    case "nowordwrap":
      return { type: "set-wordwrap", isOn: what === "wordwrap" }
    case "format":
      return rest.length === 1 && rest[0] !== undefined
        ? { type: "set-format", format: rest[0] }
        : mistake("Usage: /set format json, or /set format FILE with a JSON schema")
    case "noformat":
      return { type: "set-format" }
    case "think":
      return rest.length > 1
        ? mistake("Usage: /set think, or /set think LEVEL")
        : { type: "set-think", value: rest[0] ?? "true" }
    case "nothink":
      return { type: "set-think", value: "false" }
    case "history":
    case "nohistory":
      return { type: "set-history", isOn: what === "history" }
    case undefined:
      return { type: "help", topic: "set" }
    default:
      return unknown(
        "command",
        `/set ${what}`,
        switches.map((name) => `/set ${name}`),
      )
  }
}

function parseShow(what: string | undefined): SlashCommand {
  if (what === undefined) return { type: "help", topic: "show" }
  const topic = showTopics.find((name) => name === what)
  if (topic !== undefined) return { type: "show", topic }
  return unknown(
    "command",
    `/show ${what}`,
    showTopics.map((name) => `/show ${name}`),
  )
}

function help(what: string | undefined): SlashCommand {
  const topic = helpTopics.find((name) => name === what?.replace(/^\//, ""))
  return { type: "help", topic: topic ?? "commands" }
}

function unknown(kind: string, given: string, known: readonly string[]): SlashCommand {
  const near = nearest(given, known)
  const hint = near === undefined ? "Type /? for help" : `Did you mean ${near}? Type /? for help`
  return mistake(`Unknown ${kind} '${given}'. ${hint}`)
}

function unquoted(path: string): string {
  return /^(['"])(.+)\1$/.exec(path)?.[2] ?? path.replace(/\\(.)/g, "$1")
}

function mistake(text: string): SlashCommand {
  return { type: "mistake", text }
}
