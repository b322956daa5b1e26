import type { Entry, Terminal } from "../../../src/cli/repl/terminal"

/** A terminal with a scripted user, who leaves at the end of the script. */
export class FakeTerminal implements Terminal {
  /** All output, including prompts and input. */
  shown = ""
  readonly hints: (string | undefined)[] = []
  readonly #entries: (string | Entry)[]
  /** Called with the output during an answer; call `pressCtrlC` to interrupt the answer. */
  onWrite: ((text: string, pressCtrlC: () => void) => void) | undefined
  #interrupt: AbortController | undefined

  constructor(entries: readonly (string | Entry)[]) {
    this.#entries = [...entries]
  }

  async read(prompt: string, hint?: string): Promise<Entry> {
    this.hints.push(hint)
    const next = this.#entries.shift() ?? { type: "end" }
    const entry: Entry = typeof next === "string" ? { type: "line", text: next } : next
    this.shown += prompt + (entry.type === "line" ? `${entry.text}\n` : "")
    return entry
  }

  watchInterrupt() {
    const controller = new AbortController()
    this.#interrupt = controller
    return { signal: controller.signal, [Symbol.dispose]: () => void (this.#interrupt = undefined) }
  }

  write(text: string): void {
    this.shown += text
    this.onWrite?.(text, () => this.#interrupt?.abort())
  }

  close(): void {}
}
