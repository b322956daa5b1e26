/** Keys with a function, named by their effect on a line. */
export type KeyName =
  | "enter"
  | "backspace"
  | "delete"
  | "left"
  | "right"
  | "word-left"
  | "word-right"
  | "home"
  | "end"
  | "up"
  | "down"
  | "kill-to-end"
  | "kill-to-start"
  | "kill-word"
  | "yank"
  | "search"
  | "clear-screen"
  | "interrupt"
  | "end-of-input"
  | "suspend"
  | "escape"

/** Keyboard input. */
export type Key =
  | { readonly type: "key"; readonly name: KeyName }
  /** Typed characters. */
  | { readonly type: "text"; readonly text: string }
  /** Pasted text, with line feeds. */
  | { readonly type: "paste"; readonly text: string }

/**
 * Longer texts are cut: no paste into a conversation is that long, and one whose end marker is lost must end at some
 * point.
 */
export const LONGEST_PASTE = 1024 ** 2

const PASTE_START = "\x1b[200~"
const PASTE_END = "\x1b[201~"

const CONTROLS: Readonly<Record<string, KeyName>> = {
  "\r": "enter",
  "\n": "enter",
  "\x7f": "backspace",
  "\x08": "backspace",
  "\x01": "home",
  "\x02": "left",
  "\x03": "interrupt",
  "\x04": "end-of-input",
  "\x05": "end",
  "\x06": "right",
  "\x07": "escape",
  "\x0b": "kill-to-end",
  "\x0c": "clear-screen",
  "\x0e": "down",
  "\x10": "up",
  "\x12": "search",
  "\x15": "kill-to-start",
  "\x17": "kill-word",
  "\x19": "yank",
  "\x1a": "suspend",
}

/** After ESC: as sent by xterm, the Linux console, rxvt and screen. */
const SEQUENCES: Readonly<Record<string, KeyName>> = {
  "[A": "up",
  "[B": "down",
  "[C": "right",
  "[D": "left",
  "[H": "home",
  "[F": "end",
  OA: "up",
  OB: "down",
  OC: "right",
  OD: "left",
  OH: "home",
  OF: "end",
  "[1~": "home",
  "[3~": "delete",
  "[4~": "end",
  "[7~": "home",
  "[8~": "end",
  "[1;3C": "word-right",
  "[1;3D": "word-left",
  "[1;5C": "word-right",
  "[1;5D": "word-left",
  b: "word-left",
  f: "word-right",
  "\x7f": "kill-word",
  "\x08": "kill-word",
}

/** A complete sequence after ESC, or the beginning of one. */
const SEQUENCE = /^(\[[0-9;?]*[@-~]|O[@-~]|[^[O])/
const BEGINNING = /^(\[[0-9;?]*|O)?$/
const PRINTABLE = /^[^\x00-\x1f\x7f]+/

/** Decodes terminal input into keys, including sequences that arrive in pieces. */
export class KeyDecoder {
  #rest = ""
  /** The paste so far; undefined outside a paste. */
  #pasted: string | undefined

  decode(input: string): readonly Key[] {
    const keys: Key[] = []
    this.#rest += input
    for (;;) {
      const key = this.#pasted === undefined ? this.#next() : this.#nextOfPaste()
      if (key === undefined) return keys
      if (key !== "nothing") keys.push(key)
    }
  }

  /** Is the input so far either the Esc key or the beginning of a delayed sequence? */
  get isUndecided(): boolean {
    return this.#pasted === undefined && this.#rest === "\x1b"
  }

  /** Called when nothing followed: it was the Esc key. */
  settle(): readonly Key[] {
    if (!this.isUndecided) return []
    return [this.#take(1, { type: "key", name: "escape" })]
  }

  /** `undefined`: more input is needed. */
  #next(): Key | "nothing" | undefined {
    if (this.#rest === "") return undefined
    const text = PRINTABLE.exec(this.#rest)?.[0]
    if (text !== undefined) return this.#take(text.length, { type: "text", text })
    if (this.#rest.startsWith(PASTE_START)) {
      this.#pasted = ""
      return this.#take(PASTE_START.length, "nothing")
    }
    if (!this.#rest.startsWith("\x1b")) return this.#takeControl()
    const behind = this.#rest.slice(1)
    const sequence = SEQUENCE.exec(behind)?.[0]
    if (sequence === undefined) return BEGINNING.test(behind) ? undefined : this.#take(1, "nothing")
    const name = SEQUENCES[sequence]
    return this.#take(1 + sequence.length, name === undefined ? "nothing" : { type: "key", name })
  }

  #takeControl(): Key | "nothing" {
    const [letter = ""] = this.#rest
    // Terminals that send both mean one line break.
    if (this.#rest.startsWith("\r\n")) return this.#take(2, { type: "key", name: "enter" })
    if (letter === "\t") return this.#take(1, { type: "text", text: "\t" })
    const name = CONTROLS[letter]
    return this.#take(1, name === undefined ? "nothing" : { type: "key", name })
  }

  #nextOfPaste(): Key | "nothing" | undefined {
    const pasted = (this.#pasted ?? "") + this.#rest
    const end = pasted.indexOf(PASTE_END)
    if (end === -1 && pasted.length < LONGEST_PASTE) {
      this.#pasted = pasted
      this.#rest = ""
      return undefined
    }
    const length = end === -1 ? LONGEST_PASTE : end
    this.#pasted = undefined
    this.#rest = end === -1 ? "" : pasted.slice(end + PASTE_END.length)
    const text = pasted.slice(0, length).replace(/\r\n?/g, "\n")
    return { type: "paste", text: text.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "") }
  }

  #take<T>(length: number, key: T): T {
    this.#rest = this.#rest.slice(length)
    return key
  }
}
