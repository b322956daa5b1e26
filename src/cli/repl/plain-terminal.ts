import type { Entry, InterruptWatch, Terminal } from "./terminal"

/** A terminal without cursor control (TERM=dumb): it edits lines itself and sends them whole. */
export class PlainTerminal implements Terminal {
  readonly #decoder = new TextDecoder()
  readonly #lines: string[] = []
  #rest = ""
  #waiting: ((entry: Entry) => void) | undefined
  #interrupt: AbortController | undefined
  #isClosed = false

  constructor() {
    process.stdin.on("data", this.#onData)
    process.stdin.on("end", this.#onEnd)
    process.on("SIGINT", this.#onInterrupt)
    process.stdin.resume()
  }

  read(prompt: string): Promise<Entry> {
    if (this.#isClosed) return Promise.resolve({ type: "end" })
    this.write(prompt)
    const early = this.#lines.shift()
    if (early !== undefined) return Promise.resolve({ type: "line", text: early })
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  watchInterrupt(): InterruptWatch {
    const controller = new AbortController()
    this.#interrupt = controller
    return { signal: controller.signal, [Symbol.dispose]: () => void (this.#interrupt = undefined) }
  }

  write(text: string): void {
    process.stdout.write(text)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#interrupt?.abort()
    process.stdin.off("data", this.#onData)
    process.stdin.off("end", this.#onEnd)
    process.off("SIGINT", this.#onInterrupt)
    process.stdin.pause()
  }

  readonly #onData = (bytes: Uint8Array): void => {
    const [...lines] = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r?\n/)
    this.#rest = lines.pop() ?? ""
    this.#lines.push(...lines)
    if (this.#waiting === undefined) return
    const line = this.#lines.shift()
    if (line !== undefined) this.#answer({ type: "line", text: line })
  }

  readonly #onEnd = (): void => {
    this.close()
    this.#answer({ type: "end" })
  }

  readonly #onInterrupt = (): void => {
    if (this.#waiting === undefined) this.#interrupt?.abort()
    else this.#answer({ type: "interrupt", wasEmpty: this.#rest === "" })
  }

  #answer(entry: Entry): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(entry)
  }
}
