import { describe, expect, test } from "bun:test"
import { readEvents, type ServerSentEvent, SseParser } from "../../../src/cli/client/sse"

const data = (text: string, event?: string): ServerSentEvent => ({ type: "data", event, data: text })

function parse(text: string, chunk = text.length): readonly ServerSentEvent[] {
  const parser = new SseParser()
  const events: ServerSentEvent[] = []
  for (let at = 0; at < text.length; at += chunk) events.push(...parser.feed(text.slice(at, at + chunk)))
  return events
}

describe("an event stream", () => {
  test.each([
    ["line feeds", "data: a\n\ndata: b\n\n", [data("a"), data("b")]],
    ["carriage returns and line feeds", "data: a\r\n\r\ndata: b\r\n\r\n", [data("a"), data("b")]],
    ["several data lines are one event", "data: a\ndata: b\n\n", [data("a\nb")]],
    ["only one blank is dropped after the colon", "data:a\ndata:  b\n\n", [data("a\n b")]],
    ["a field without a colon is empty", "data\n\n", [data("")]],
    ["event names", "event: error\ndata: a\n\ndata: b\n\n", [data("a", "error"), data("b")]],
    [
      "comments",
      ": ping\n\n:\n\n",
      [
        { type: "comment", text: "ping" },
        { type: "comment", text: "" },
      ],
    ],
    ["other fields are ignored", "id: 1\nretry: 5\ndata: a\n\n", [data("a")]],
    ["an event without data is none", "event: x\n\n", []],
    ["an unfinished event is none", "data: a\n", []],
    ["a byte order mark", "\ufeffdata: a\n\n", [data("a")]],
  ] satisfies [string, string, ServerSentEvent[]][])("%s", (_what, text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  test("is the same wherever it is cut", () => {
    const text = ": ping\r\n\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\ndata: [DONE]\r\n\r\n"
    const whole = parse(text)
    expect(whole).toHaveLength(3)
    for (let size = 1; size < text.length; size++) expect(parse(text, size)).toEqual([...whole])
  })

  test("may be cut inside of a character", async () => {
    const bytes = new TextEncoder().encode("data: é日🙂\n\n")
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    expect(await Array.fromAsync(readEvents(body))).toEqual([data("é日🙂")])
  })
})
