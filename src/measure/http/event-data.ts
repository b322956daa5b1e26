import { createParser } from "eventsource-parser"

/** The data of an event stream's events as they arrive; comments are skipped. */
export async function* eventData(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  let events: string[] = []
  const parser = createParser({ onEvent: ({ data }) => void events.push(data) })
  const decoder = new TextDecoder()
  for await (const bytes of response.body) {
    parser.feed(decoder.decode(bytes, { stream: true }))
    const complete = events
    events = []
    yield* complete
  }
}
