/** One event of a server-sent event stream. */
export type ServerSentEvent =
  | { readonly type: "data"; readonly event: string | undefined; readonly data: string }
  /** A comment line (keep-alive). */
  | { readonly type: "comment"; readonly text: string }

/**
 * Parses a text/event-stream into events, wherever its chunks are split. Follows the WHATWG HTML standard, section
 * 9.2.6: any of the three line endings, several data lines per event, one space after the colon dropped.
 */
export class SseParser {
  #rest = ""
  #data: string[] = []
  #event: string | undefined
  #isFirst = true

  /** Returns the events that `text` completes. */
  feed(text: string): readonly ServerSentEvent[] {
    this.#rest += text
    if (this.#isFirst && this.#rest !== "") {
      this.#isFirst = false
      if (this.#rest.startsWith("\ufeff")) this.#rest = this.#rest.slice(1)
    }
    const events: ServerSentEvent[] = []
    let start = 0
    for (;;) {
      const found = lineEnd(this.#rest, start)
      if (found === undefined) break
      const event = this.#take(this.#rest.slice(start, found.end))
      if (event !== undefined) events.push(event)
      start = found.next
    }
    this.#rest = this.#rest.slice(start)
    return events
  }

  #take(line: string): ServerSentEvent | undefined {
    if (line === "") return this.#finish()
    const colon = line.indexOf(":")
    if (colon === 0) return { type: "comment", text: line.slice(line[1] === " " ? 2 : 1) }
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (field === "data") this.#data.push(value)
    if (field === "event") this.#event = value
    return undefined
  }

  #finish(): ServerSentEvent | undefined {
    const event = { type: "data", event: this.#event, data: this.#data.join("\n") } as const
    const isEmpty = this.#data.length === 0
    this.#data = []
    this.#event = undefined
    return isEmpty ? undefined : event
  }
}

function lineEnd(text: string, from: number): { readonly end: number; readonly next: number } | undefined {
  for (let index = from; index < text.length; index++) {
    const letter = text[index]
    if (letter === "\n") return { end: index, next: index + 1 }
    if (letter !== "\r") continue
    // Its line feed may be in the next chunk.
    if (index + 1 === text.length) return undefined
    return { end: index, next: text[index + 1] === "\n" ? index + 2 : index + 1 }
  }
  return undefined
}

/** The events of a response body as they arrive. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const parser = new SseParser()
  const decoder = new TextDecoder()
  for await (const bytes of body) yield* parser.feed(decoder.decode(bytes, { stream: true }))
  yield* parser.feed(decoder.decode())
}
