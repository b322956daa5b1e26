import { FRAME_START, LOAD_MARK } from "../../protocol/messages"

/** Maximum length of a line, in characters; a broken worker may never write a line end. */
const MAX_LINE_LENGTH = 4_096

/** Lines included in a report of a worker's end. */
const LAST_LINES = 8

/** A call stack entry as printed by glibc and ggml: it would push out the line with the cause. */
const STACK_ENTRY = /\[0x[0-9a-f]+\]$/

export type WorkerLineLevel = "debug" | "info" | "warn" | "error"

/** A line on a worker's stderr. */
export type WorkerLine =
  | { readonly type: "progress"; readonly fraction: number }
  /** Marks the beginning of the load: earlier lines do not explain its failure. */
  | { readonly type: "load" }
  | { readonly type: "log"; readonly level: WorkerLineLevel; readonly text: string }
  /** Not from the shim: an abort's last output, a driver's complaint, the worker's own output. */
  | { readonly type: "plain"; readonly text: string }

const LEVELS: Readonly<Record<string, WorkerLineLevel>> = {
  "1": "debug",
  "2": "info",
  "3": "warn",
  "4": "error",
}

/** Level of the frames that continue the previous one. */
const CONTINUATION = "5"

/** Splits a worker's stderr into lines and parses their frames. */
export class WorkerLineReader {
  #rest = ""
  #lastLevel: WorkerLineLevel = "info"

  /** Returns the lines that `text` completes. */
  push(text: string): WorkerLine[] {
    const pieces = (this.#rest + text).split("\n")
    const rest = pieces.pop() ?? ""
    if (rest.length > MAX_LINE_LENGTH) {
      pieces.push(rest)
      this.#rest = ""
    } else {
      this.#rest = rest
    }
    return pieces.flatMap((piece) => this.#parse(piece))
  }

  /** Returns the unfinished line at the end of the stream. */
  end(): WorkerLine[] {
    const rest = this.#rest
    this.#rest = ""
    return this.#parse(rest)
  }

  #parse(piece: string): WorkerLine[] {
    const line = piece.slice(0, MAX_LINE_LENGTH).trimEnd()
    if (line === "") return []
    if (!line.startsWith(FRAME_START)) return [{ type: "plain", text: line }]
    const frame = line.slice(FRAME_START.length)
    if (frame.startsWith("P")) return progress(frame.slice(1))
    if (frame === LOAD_MARK) return [{ type: "load" }]
    const [, digit, text] = /^L([0-9]) ?(.*)$/.exec(frame) ?? []
    if (digit === undefined || text === undefined) return [{ type: "plain", text: frame }]
    if (digit !== CONTINUATION) this.#lastLevel = LEVELS[digit] ?? "info"
    return text === "" ? [] : [{ type: "log", level: this.#lastLevel, text }]
  }
}

function progress(digits: string): WorkerLine[] {
  const fraction = Number(digits)
  return Number.isFinite(fraction) ? [{ type: "progress", fraction: Math.min(1, Math.max(0, fraction)) }] : []
}

/** The newest lines that may explain a worker's end. The runtime's crash output never displaces an error. */
export class LastLines {
  readonly #lines: WorkerLine[] = []

  add(line: WorkerLine): void {
    if (line.type === "load") this.#lines.length = 0
    if (line.type === "progress" || line.type === "load" || (line.type === "log" && line.level === "debug"))
      return
    if (STACK_ENTRY.test(line.text)) return
    this.#lines.push(line)
    if (this.#lines.length <= LAST_LINES) return
    const least = this.#lines.findIndex((each) => !isError(each))
    this.#lines.splice(Math.max(0, least), 1)
  }

  /** Oldest first. */
  get lines(): readonly WorkerLine[] {
    return [...this.#lines]
  }
}

/** The texts of lines, without empty frames. */
export function textsOfLines(lines: readonly WorkerLine[]): readonly string[] {
  return lines.flatMap((line) => ("text" in line ? line.text : []))
}

function isError(line: WorkerLine): boolean {
  return line.type === "log" && line.level === "error"
}

/** What llama.cpp logged as errors; all lines where there are none. */
export function errorsOfLines(lines: readonly WorkerLine[]): readonly string[] {
  const errors = lines.filter(isError)
  return textsOfLines(errors.length > 0 ? errors : lines)
}
