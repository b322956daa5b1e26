import { createInterface, type Interface, type Key } from "node:readline"
import { Writable } from "node:stream"
import type { Entry, InterruptWatch, Terminal } from "./terminal"

/** Terminals mark pasted text while this mode is on, so that its line ends do not send it. */
const PASTE_MODE_ON = "\x1b[?2004h"
const PASTE_MODE_OFF = "\x1b[?2004l"

const GREY = "\x1b[90m"
const PLAIN = "\x1b[0m"
const CLEAR_TO_END = "\x1b[K"

export interface LineEditorOptions {
  /** Lines that were typed before, newest first. */
  readonly history: readonly string[]
  readonly historySize: number
}

/** The process's terminal, with editing and history from node:readline. */
export class LineEditor implements Terminal {
  readonly #readline: Interface
  /** Lines that nobody waited for yet. */
  readonly #typedAhead: string[] = []
  #waiting: ((entry: Entry) => void) | undefined
  #interrupt: AbortController | undefined
  #isPasting = false
  #pasted: string[] = []
  #hasHint = false
  #isClosed = false

  constructor({ history, historySize }: LineEditorOptions) {
    // Before readline's own listener: the hint has to go before the first letter is drawn.
    process.stdin.prependListener("keypress", this.#onKey)
    this.#readline = createInterface({
      input: process.stdin,
      output: this.#output(),
      terminal: true,
      history: [...history],
      historySize,
    })
    this.#readline.on("line", (line) => this.#takeLine(line))
    this.#readline.on("SIGINT", () => this.#takeInterrupt())
    this.#readline.on("close", () => this.#takeEnd())
    this.write(PASTE_MODE_ON)
  }

  read(prompt: string, hint?: string): Promise<Entry> {
    if (this.#isClosed) return Promise.resolve({ type: "end" })
    this.#readline.setPrompt(prompt)
    const early = this.#typedAhead.shift()
    if (early !== undefined) {
      this.write(`${prompt}${early}\n`)
      return Promise.resolve({ type: "line", text: early })
    }
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#readline.prompt(true)
      if (hint !== undefined && this.#readline.line === "") this.#showHint(hint)
    })
  }

  watchInterrupt(): InterruptWatch {
    const controller = new AbortController()
    const abort = () => controller.abort()
    this.#interrupt = controller
    // After Ctrl-D the terminal is no longer read key by key, and sends the signal itself.
    process.on("SIGINT", abort)
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        process.off("SIGINT", abort)
        this.#interrupt = undefined
      },
    }
  }

  write(text: string): void {
    process.stdout.write(text)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#interrupt?.abort()
    this.write(PASTE_MODE_OFF)
    this.#readline.close()
    process.stdin.off("keypress", this.#onKey)
  }

  /** What readline draws: seen only while a line is asked for. */
  #output(): Writable {
    const write = (chunk: Uint8Array, _encoding: string, done: () => void) => {
      if (this.#waiting !== undefined) process.stdout.write(chunk)
      done()
    }
    const output = Object.assign(new Writable({ write }), { columns: process.stdout.columns })
    process.stdout.on("resize", () => {
      output.columns = process.stdout.columns
      output.emit("resize")
    })
    return output
  }

  #showHint(hint: string): void {
    this.#hasHint = true
    this.write(`${GREY}${hint}${PLAIN}\x1b[${hint.length}D`)
  }

  readonly #onKey = (_text: string | undefined, key: Key | undefined): void => {
    if (this.#hasHint) {
      this.#hasHint = false
      this.write(CLEAR_TO_END)
    }
    // Node's names for the marks around pasted text.
    if (key?.name === "paste-start") this.#isPasting = true
    if (key?.name === "paste-end") this.#isPasting = false
  }

  #takeLine(line: string): void {
    if (this.#isPasting) {
      this.#pasted.push(line)
      return
    }
    const text = [...this.#pasted, line].join("\n")
    this.#pasted = []
    if (this.#waiting === undefined) this.#typedAhead.push(text)
    else this.#answer({ type: "line", text })
  }

  #takeInterrupt(): void {
    const wasEmpty = this.#readline.line === "" && this.#pasted.length === 0
    this.#pasted = []
    if (this.#waiting === undefined) {
      this.#typedAhead.length = 0
      this.#interrupt?.abort()
      return
    }
    // To the end of the line, then delete all before it: as a user would.
    this.#readline.write(null, { ctrl: true, name: "e" })
    this.#readline.write(null, { ctrl: true, name: "u" })
    this.#answer({ type: "interrupt", wasEmpty })
  }

  #takeEnd(): void {
    this.close()
    this.#answer({ type: "end" })
  }

  #answer(entry: Entry): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(entry)
  }
}
