import { describe, expect, test } from "bun:test"
import { OversizedEvent, readEvents, type ServerSentEvent } from "../../../src/cli/client/sse"

const data = (text: string, event?: string): ServerSentEvent => ({ type: "data", event, data: text })

/** A body in chunks of this many bytes. */
function bodyOf(text: string, chunk: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += chunk) controller.enqueue(bytes.slice(at, at + chunk))
      controller.close()
    },
  })
}

function parse(text: string, chunk = 1000): Promise<readonly ServerSentEvent[]> {
  return Array.fromAsync(readEvents(bodyOf(text, chunk)))
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
  ] satisfies [string, string, ServerSentEvent[]][])("%s", async (_what, text, expected) => {
    expect(await parse(text)).toEqual(expected)
  })

  test("is the same wherever it is cut", async () => {
    const text = ": ping\r\n\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\ndata: [DONE]\r\n\r\n"
    const whole = await parse(text)
    expect(whole).toHaveLength(3)
    for (let size = 1; size < text.length; size++) expect(await parse(text, size)).toEqual([...whole])
  })

  test("may be cut inside of a character", async () => {
    expect(await parse("data: é日🙂\n\n", 1)).toEqual([data("é日🙂")])
  })

  test.each([
    ["one line", `data: ${"a".repeat(200)}`],
    ["many lines", "data: aaaaaaaa\n".repeat(25)],
  ])("is given up where an event of %s grows without end", async (_what, text) => {
    const read: ServerSentEvent[] = []
    const all = async () => {
      for await (const event of readEvents(bodyOf(`data: a\n\n${text}`, 10), 100)) read.push(event)
    }
    await expect(all()).rejects.toThrow(new OversizedEvent("an event has more than 100 characters"))
    expect(read).toEqual([data("a")])
  })
})
