import { EditBuffer } from "./edit-buffer"
import { type Key, KeyDecoder, type KeyName } from "./key-decoder"
import { clip, type Layout, layOutLine, rowAfterResize } from "./layout"
import { Recall } from "./recall"
import type { Entry, InterruptWatch, Terminal } from "./terminal"

/** Terminals mark pasted text in this mode, so that its line breaks do not submit it. */
const PASTE_MODE_ON = "\x1b[?2004h"
const PASTE_MODE_OFF = "\x1b[?2004l"

/** Terminals that support it show everything up to the frame's end at once. */
const FRAME_START = "\x1b[?2026h"
const FRAME_END = "\x1b[?2026l"

const GREY = "\x1b[90m"
const PLAIN = "\x1b[0m"
const CLEAR_BELOW = "\x1b[J"
const CLEAR_SCREEN = "\x1b[H\x1b[2J"

/** The longest gap within a key's sequence on a slow line. */
const ESCAPE_MS = 50

/** The prompt of continuation lines. */
const CONTINUED = "... "

const NOTHING_DRAWN: Layout = { rows: [], cursorRow: 0, cursorColumn: 0 }

export interface LineEditorOptions {
  /** Previous input, newest first. */
  readonly history: readonly string[]
  readonly historySize: number
  /** May colours be used? */
  readonly hasColors: boolean
}

/** A search in the history. */
interface Search {
  query: string
  /** The matching entry and its index; undefined: no match. */
  found: { readonly entry: string; readonly at: number } | undefined
  /** The input when the search began. */
  readonly before: string
}

/**
 * Reads the process's terminal key by key. Input is wrapped and redrawn here: a terminal's own line breaks cannot be
 * undone.
 */
export class LineEditor implements Terminal {
  readonly #buffer = new EditBuffer()
  readonly #decoder = new KeyDecoder()
  readonly #utf8 = new TextDecoder()
  readonly #recall: Recall
  readonly #hasColors: boolean
  /** Entries submitted before they were requested. */
  readonly #typedAhead: string[] = []
  #waiting: ((entry: Entry) => void) | undefined
  #prompt = ""
  #hint = ""
  #search: Search | undefined
  #drawn = NOTHING_DRAWN
  #interrupt: AbortController | undefined
  #isClosed = false
  #settling: ReturnType<typeof setTimeout> | undefined

  constructor({ history, historySize, hasColors }: LineEditorOptions) {
    this.#recall = new Recall(history.toReversed(), historySize)
    this.#hasColors = hasColors
    process.stdin.on("data", this.#onData)
    process.stdin.on("end", this.#onEnd)
    process.stdin.on("error", this.#onEnd)
    process.stdout.on("resize", this.#onResize)
    process.on("SIGCONT", this.#onContinue)
    process.on("exit", this.#onExit)
    this.#takeTerminal()
    process.stdin.resume()
  }

  read(prompt: string, hint = ""): Promise<Entry> {
    if (this.#isClosed) return Promise.resolve({ type: "end" })
    const early = this.#typedAhead.shift()
    if (early !== undefined) {
      const { rows } = layOutLine({
        prompt,
        continued: CONTINUED,
        text: early,
        cursor: 0,
        columns: columns(),
      })
      this.write(`${rows.join("\n")}\n`)
      return Promise.resolve({ type: "line", text: early })
    }
    this.#prompt = prompt
    // Without colours the hint would look like input.
    if (hint !== "" && !this.#hasColors && this.#hint === "") this.write(`${hint}\n`)
    this.#hint = hint === "" ? this.#hint : hint
    this.#drawn = NOTHING_DRAWN
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#draw(hint !== "")
    })
  }

  watchInterrupt(): InterruptWatch {
    const controller = new AbortController()
    const abort = () => controller.abort()
    this.#interrupt = controller
    // After close the terminal is no longer in raw mode, and sends the signal itself.
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
    this.#leaveTerminal()
    clearTimeout(this.#settling)
    process.stdin.off("data", this.#onData)
    process.stdin.off("end", this.#onEnd)
    process.stdin.off("error", this.#onEnd)
    process.stdout.off("resize", this.#onResize)
    process.off("SIGCONT", this.#onContinue)
    process.off("exit", this.#onExit)
    process.stdin.pause()
  }

  // --------------------------------------------------------------------------------------------- the terminal

  #takeTerminal(): void {
    // Off first: other programs may have changed the terminal while the process was stopped.
    process.stdin.setRawMode(false)
    process.stdin.setRawMode(true)
    this.write(PASTE_MODE_ON)
  }

  #leaveTerminal(): void {
    this.write(PASTE_MODE_OFF)
    // A closed terminal cannot be set.
    try {
      process.stdin.setRawMode(false)
    } catch {}
  }

  /** Ctrl-Z, which terminals in raw mode do not handle themselves. */
  #suspend(): void {
    if (this.#waiting !== undefined) this.#leaveText()
    this.#leaveTerminal()
    // The whole process group, as a terminal does: the shell waits for all of it.
    process.kill(0, "SIGTSTP")
    // If nothing can continue the process (no job control), the signal does not stop it.
    setTimeout(this.#onContinue, 0)
  }

  readonly #onContinue = (): void => {
    if (this.#isClosed) return
    this.#takeTerminal()
    this.#drawn = NOTHING_DRAWN
    if (this.#waiting !== undefined) {
      this.write("\r" + CLEAR_BELOW)
      this.#draw()
    }
  }

  readonly #onExit = (): void => this.#leaveTerminal()

  readonly #onResize = (): void => {
    if (this.#waiting === undefined) return
    this.#drawn = { ...this.#drawn, cursorRow: rowAfterResize(this.#drawn, columns()) }
    this.#draw()
  }

  readonly #onEnd = (): void => this.#takeEnd()

  readonly #onData = (bytes: Uint8Array): void => {
    clearTimeout(this.#settling)
    this.#takeAll(this.#decoder.decode(this.#utf8.decode(bytes, { stream: true })))
    if (!this.#decoder.isUndecided) return
    this.#settling = setTimeout(() => this.#takeAll(this.#decoder.settle()), ESCAPE_MS)
  }

  #takeAll(keys: readonly Key[]): void {
    for (const key of keys) {
      if (this.#isClosed) return
      this.#take(key)
    }
    if (this.#waiting !== undefined && keys.length > 0) this.#draw()
  }

  // ------------------------------------------------------------------------------------------------- the keys

  #take(key: Key): void {
    if (this.#search !== undefined && this.#takeForSearch(this.#search, key)) return
    if (key.type === "key") this.#obey(key.name)
    else this.#buffer.insert(key.text)
  }

  #obey(name: KeyName): void {
    const buffer = this.#buffer
    switch (name) {
      case "enter":
        return this.#takeLine()
      case "backspace":
        return buffer.backspace()
      case "delete":
        return buffer.delete()
      case "left":
        return buffer.left()
      case "right":
        return buffer.right()
      case "word-left":
        return buffer.wordLeft()
      case "word-right":
        return buffer.wordRight()
      case "home":
        return buffer.home()
      case "end":
        return buffer.end()
      case "up":
        return buffer.up() ? undefined : this.#recalled(this.#recall.older(buffer.text))
      case "down":
        return buffer.down() ? undefined : this.#recalled(this.#recall.newer())
      case "kill-to-end":
        return buffer.killToEnd()
      case "kill-to-start":
        return buffer.killToStart()
      case "kill-word":
        return buffer.killWord()
      case "yank":
        return buffer.yank()
      case "search":
        if (this.#waiting === undefined) return
        this.#search = { query: "", found: undefined, before: buffer.text }
        return
      case "clear-screen":
        if (this.#waiting === undefined) return
        this.write(CLEAR_SCREEN)
        this.#drawn = NOTHING_DRAWN
        return
      case "interrupt":
        return this.#takeInterrupt()
      case "end-of-input":
        return buffer.text === "" ? this.#takeEnd() : buffer.delete()
      case "suspend":
        return this.#suspend()
      case "escape":
        return
      default:
        name satisfies never
    }
  }

  #recalled(entry: string | undefined): void {
    if (entry !== undefined) this.#buffer.set(entry)
  }

  /** @returns was the key part of the search? Any other key accepts the match */
  #takeForSearch(search: Search, key: Key): boolean {
    if (key.type === "text") return this.#searchFor(search, search.query + key.text)
    if (key.type === "key") {
      if (key.name === "backspace") return this.#searchFor(search, search.query.slice(0, -1))
      if (key.name === "search") {
        const older = search.found && this.#recall.find(search.query, search.found.at - 1)
        search.found = older ?? search.found
        return true
      }
      if (key.name === "interrupt" || key.name === "escape") {
        this.#search = undefined
        this.#buffer.set(search.before)
        return true
      }
    }
    this.#search = undefined
    if (search.found !== undefined) this.#buffer.set(search.found.entry)
    return false
  }

  #searchFor(search: Search, query: string): boolean {
    search.query = query
    search.found = this.#recall.find(query)
    return true
  }

  #takeLine(): void {
    const { text } = this.#buffer
    if (this.#waiting === undefined) this.#typedAhead.push(text)
    else this.#leaveText()
    this.#buffer.set("")
    this.#recall.add(text)
    if (this.#waiting !== undefined) this.#answer({ type: "line", text })
  }

  #takeInterrupt(): void {
    const wasEmpty = this.#buffer.text === ""
    if (this.#waiting === undefined) {
      this.#typedAhead.length = 0
      this.#buffer.set("")
      this.#interrupt?.abort()
      return
    }
    this.#buffer.end()
    this.#draw()
    this.#buffer.set("")
    this.#recall.rest()
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

  // ---------------------------------------------------------------------------------------------- the drawing

  #draw(isNew = false): void {
    const search = this.#search
    const layout =
      search === undefined ? layOutLine(this.#place(this.#prompt)) : layOutLine(this.#placeOfSearch(search))
    const shown = clip(layout, process.stdout.rows || 24)
    const isEmpty = this.#buffer.text === "" && search === undefined
    const hint = isEmpty && isNew ? this.#shownHint(shown.cursorColumn) : ""
    this.write(FRAME_START + erase(this.#drawn) + picture(shown, hint) + FRAME_END)
    this.#drawn = shown
  }

  #place(prompt: string) {
    const { text, cursor } = this.#buffer
    return { prompt, continued: CONTINUED, columns: columns(), text, cursor }
  }

  #placeOfSearch({ query, found }: Search) {
    const entry = found?.entry ?? ""
    const at = entry.toLowerCase().indexOf(query.toLowerCase())
    return { ...this.#place(`(search)'${query}': `), text: entry, cursor: Math.max(0, at) }
  }

  /** The part of the hint that fits in the first row. */
  #shownHint(column: number): string {
    if (!this.#hasColors) return ""
    const room = columns() - column - 1
    return room < 1 ? "" : `${GREY}${this.#hint.slice(0, room)}${PLAIN}`
  }

  /** Draws the whole text and moves below it, so that it stays on the screen. */
  #leaveText(): void {
    const { text } = this.#buffer
    const whole = layOutLine({ ...this.#place(this.#prompt), cursor: text.length })
    this.write(`${FRAME_START}${erase(this.#drawn)}${whole.rows.join("\n")}\n${FRAME_END}`)
    this.#drawn = NOTHING_DRAWN
  }
}

/** A terminal of unknown width has at least two columns. */
function columns(): number {
  return Math.max(2, process.stdout.columns || 80)
}

/** Erases the current drawing. */
function erase({ cursorRow }: Layout): string {
  return `${cursorRow === 0 ? "" : `\x1b[${cursorRow}A`}\r${CLEAR_BELOW}`
}

/** The escape codes that draw the rows and place the cursor. */
function picture({ rows, cursorRow, cursorColumn }: Layout, hint: string): string {
  const up = rows.length - 1 - cursorRow
  return (
    rows.join("\n") +
    hint +
    (up === 0 ? "" : `\x1b[${up}A`) +
    `\r${cursorColumn === 0 ? "" : `\x1b[${cursorColumn}C`}`
  )
}
