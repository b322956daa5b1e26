import { createParser } from "eventsource-parser"
import { EVENT_CHARACTERS } from "../../limits"

/** One event of a server-sent event stream. */
export type ServerSentEvent =
  | { readonly type: "data"; readonly event: string | undefined; readonly data: string }
  /** A comment line (keep-alive). */
  | { readonly type: "comment"; readonly text: string }

/** An event of a stream is larger than any that a server sends. */
export class OversizedEvent extends Error {}

/**
 * The events and comments of a response body as they arrive.
 * @param maxCharacters of one event that is not complete yet
 * @throws OversizedEvent
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  maxCharacters = EVENT_CHARACTERS,
): AsyncGenerator<ServerSentEvent> {
  let events: ServerSentEvent[] = []
  let isOversized = false
  const parser = createParser({
    maxBufferSize: maxCharacters,
    onEvent: ({ event, data }) => void events.push({ type: "data", event, data }),
    onComment: (text) => void events.push({ type: "comment", text }),
    onError: ({ type }) => {
      if (type === "max-buffer-size-exceeded") isOversized = true
    },
  })
  const decoder = new TextDecoder()
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }))
    const complete = events
    events = []
    yield* complete
    if (isOversized) throw new OversizedEvent(`an event has more than ${maxCharacters} characters`)
  }
}
