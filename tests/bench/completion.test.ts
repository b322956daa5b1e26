import { afterEach, expect, test } from "bun:test"
import { complete } from "../../bench/completion"
import { countTokens, type Endpoint, type SentPrompt } from "../../src/measure/http/completion"

let server: Bun.Server<undefined> | undefined
afterEach(() => server?.stop(true))

/** A server that answers every request with these bytes, cut at the given places; `seen` collects the bodies. */
function answer(parts: readonly string[], seen: unknown[] = [], status = 200): Endpoint {
  server = Bun.serve({
    port: 0,
    async fetch(request) {
      seen.push({ path: new URL(request.url).pathname, body: await request.json() })
      const stream = new ReadableStream({
        start(controller) {
          for (const part of parts) controller.enqueue(new TextEncoder().encode(part))
          controller.close()
        },
      })
      return new Response(stream, { status })
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, model: "m", signal: new AbortController().signal }
}

const text: SentPrompt = { kind: "text", text: " one two" }
const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`
const piece = (content: string): string => event({ choices: [{ delta: { content } }] })
const finish = event({ choices: [{ delta: {}, finish_reason: "length" }] })
const usage = (tokens: number): string =>
  event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: tokens } })
const done = "data: [DONE]\n\n"

test("pieces with text are counted, the role, comments and empty pieces are not", async () => {
  const role = event({ choices: [{ delta: { role: "assistant", content: null } }] })
  const parts = [role, ": still here\n\n", piece("a"), piece(""), piece("b"), finish, usage(3), done]
  const pieces: number[] = []
  const completion = await complete(answer(parts), text, 3, (count) => pieces.push(count))
  expect(completion.textAt.length).toBe(2)
  expect(pieces).toEqual([1, 2])
  expect(completion).toMatchObject({ promptTokens: 7, completionTokens: 3 })
  expect(completion.finishedAt).toBeGreaterThanOrEqual(completion.textAt[1] ?? Infinity)
})

test("the same is read when lines are cut anywhere, even inside a character", async () => {
  const bytes = new TextEncoder().encode([piece("é"), piece("b"), finish, usage(2), done].join(""))
  server = Bun.serve({
    port: 0,
    fetch: () =>
      new Response(
        new ReadableStream({
          start(controller) {
            for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
            controller.close()
          },
        }),
      ),
  })
  const endpoint = {
    url: `http://127.0.0.1:${server.port}`,
    model: "m",
    signal: new AbortController().signal,
  }
  expect((await complete(endpoint, text, 2)).textAt.length).toBe(2)
})

test("usage in the finish chunk, and the completions endpoint's text, are understood", async () => {
  const seen: unknown[] = []
  const last = event({
    choices: [{ text: "", finish_reason: "length" }],
    usage: { prompt_tokens: 2, completion_tokens: 1 },
  })
  const completion = await complete(answer([event({ choices: [{ text: "a" }] }), last, done], seen), text, 1)
  expect(completion.promptTokens).toBe(2)
  expect(seen).toMatchObject([
    {
      path: "/v1/completions",
      body: { model: "m", prompt: " one two", max_tokens: 1, temperature: 0, ignore_eos: true, stream: true },
    },
  ])
})

test("a chat goes to the chat endpoint with its messages", async () => {
  const seen: unknown[] = []
  const messages = [{ role: "user", content: "hi" }] as const
  await complete(answer([piece("a"), finish, usage(1), done], seen), { kind: "chat", messages }, 1)
  expect(seen).toMatchObject([{ path: "/v1/chat/completions", body: { messages } }])
})

test.each([
  ["an error event", [piece("a"), event({ error: { message: "worker died" } })], "worker died"],
  ["a silent end", [piece("a")], "without a finish reason"],
  ["no usage", [piece("a"), finish, done], "no usage"],
  ["another number of tokens", [piece("a"), finish, usage(2), done], "got 2"],
  ["an answer without text", [finish, usage(3), done], "no token"],
])("%s is a failure, not a number", async (_, parts, message) => {
  await expect(complete(answer(parts), text, 3)).rejects.toThrow(message)
})

test("a refused request fails with the server's own words", async () => {
  const endpoint = answer(["prompt too long"], [], 400)
  await expect(complete(endpoint, text, 3)).rejects.toThrow("HTTP 400 from /v1/completions: prompt too long")
})

test("tokens are counted by the server's usage", async () => {
  expect(await countTokens(answer(['{"usage":{"prompt_tokens":12}}']), " a text")).toBe(12)
  server?.stop(true)
  await expect(countTokens(answer(["{}"]), " a text")).rejects.toThrow("usage.prompt_tokens")
})
