/** An event of a server-sent stream, or a comment: the server says in those what a request waits for. */
export interface ServerEvent {
  /** The event's name, `message` where it has none, or `comment`. */
  readonly type: string
  readonly data: string
  readonly id?: string
}

/** Cuts a stream's text into events. `EventSource` can neither send a key in a header nor a body. */
export class SseReader {
  #rest = ""

  read(text: string): readonly ServerEvent[] {
    const parts = (this.#rest + text).split(/\r?\n\r?\n/)
    this.#rest = parts.pop() ?? ""
    return parts.flatMap((part) => eventOf(part) ?? [])
  }
}

function eventOf(text: string): ServerEvent | undefined {
  const data: string[] = []
  const comments: string[] = []
  let type = "message"
  let id: string | undefined
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":")
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "data") data.push(value)
    else if (field === "event") type = value
    else if (field === "id") id = value
    else if (field === "" && line !== "") comments.push(value)
  }
  if (data.length > 0) return { type, data: data.join("\n"), ...(id !== undefined && { id }) }
  return comments.length > 0 ? { type: "comment", data: comments.join("\n") } : undefined
}
