import { shorten } from "../lib/text/shorten"
import { SHOWN } from "../limits"

/** What is written: everything from this level up; `off` writes nothing. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "off"

/** `pretty`: one line for people. `json`: one JSON object a line. */
export type LogFormat = "pretty" | "json"

export type LogFields = Readonly<Record<string, unknown>>

/** A text that is logged however long it is: what the user has asked to see in the log. */
export class WholeText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * Writes events, one a line. The event is a constant phrase ("model loaded"), what varies goes into the fields.
 * Texts of prompts and answers are given to it only where the user has asked for that. Other texts are cut where they
 * are too long for a line.
 */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A logger that adds `fields` to each of its events. */
  child(fields: LogFields): Logger
}

/** The logger that others are children of. */
export interface RootLogger extends Logger {
  /** Changes what is written from now on, also by its children. */
  setLevel(level: LogLevel): void
}

export interface LoggerOptions {
  readonly level: LogLevel
  /** Absent: `pretty` where stderr is a terminal, otherwise `json`. */
  readonly format?: LogFormat
  /** Takes whole lines with their line end. Absent: stderr. */
  readonly write?: (line: string) => void
  /** The time of an event; absent: the system's clock. */
  readonly now?: () => Date
}

/** Severities in order; an event is written where its own is not below the logger's. */
const SEVERITY = { debug: 0, info: 1, warn: 2, error: 3, off: 4 } as const

type EventLevel = Exclude<LogLevel, "off">

/** A logger that writes events of `level` and above. */
export function createLogger(options: LoggerOptions): RootLogger {
  const format = (options.format ?? (process.stderr.isTTY ? "pretty" : "json")) === "json" ? toJson : toPretty
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  const now = options.now ?? (() => new Date())
  let threshold: number = SEVERITY[options.level]

  function withFields(common: LogFields): Logger {
    const at = (level: EventLevel) => (event: string, fields?: LogFields) => {
      if (SEVERITY[level] < threshold) return
      write(format(now(), level, event, fields === undefined ? common : { ...common, ...fields }) + "\n")
    }
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => withFields({ ...common, ...fields }),
    }
  }
  return {
    ...withFields({}),
    setLevel(level) {
      threshold = SEVERITY[level]
    },
  }
}

function toJson(time: Date, level: EventLevel, event: string, fields: LogFields): string {
  const shown = Object.entries(fields).map(([name, value]) => [name, loggable(value)])
  return JSON.stringify(
    { time: time.toISOString(), level, event, ...Object.fromEntries(shown) },
    (_key, value: unknown) => plain(value),
  )
}

function toPretty(time: Date, level: EventLevel, event: string, fields: LogFields): string {
  const words = [time.toISOString().slice(11, 23), level.padEnd(5), escapeControls(event)]
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) words.push(`${name}=${prettyValue(value)}`)
  }
  return words.join(" ")
}

function prettyValue(value: unknown): string {
  const shown = loggable(value)
  if (typeof shown === "string" && /^[^\s"=]+$/.test(shown)) return escapeControls(shown)
  return escapeControls(JSON.stringify(shown, (_key, inner: unknown) => plain(inner)))
}

/** A field's value as it is written. */
function loggable(value: unknown): unknown {
  if (value instanceof WholeText) return value.text
  const shown = plain(value)
  return typeof shown === "string" ? shorten(shown, SHOWN.logField) : shown
}

/** `value` as something that JSON can hold. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === "bigint" ? value.toString() : value
}

/** A text from a worker or a client must not start a new line or send the terminal a command. */
function escapeControls(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}
