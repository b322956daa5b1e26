import { describe, expect, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import { answer, choiceEvents, done, token } from "../../support/fakes/fake-engine"
import { chunksOf, errorOf, eventsOf, fakeServer, jsonOf, USER_HI } from "../../support/http"

const PATH = "/v1/chat/completions"

async function* eventsFrom(events: readonly GenerationEvent[]): AsyncGenerator<GenerationEvent> {
  yield* events
}

/** Two choices whose texts come interleaved. */
const TWO_CHOICES: readonly GenerationEvent[] = [
  { type: "prompt", tokens: 5 },
  { type: "delta", choice: 1, part: "text", text: "B", tokens: 1 },
  { type: "delta", choice: 0, part: "text", text: "A", tokens: 1 },
  { type: "finish", choice: 1, reason: "length", completionTokens: 1 },
  { type: "delta", choice: 0, part: "text", text: "a", tokens: 1 },
  { type: "finish", choice: 0, reason: "stop", completionTokens: 2 },
  done(3),
]

const EURO = [0xe2, 0x82, 0xac]

describe("what is not as the client may expect", () => {
  const warnings = ["the model has no chat template: using ChatML"]
  const script = () =>
    eventsFrom([{ type: "prompt", tokens: 5, warnings }, ...choiceEvents(["a", "b"]), done(2)])

  test("is told beside the answer", async () => {
    const { post } = fakeServer(script)
    expect((await jsonOf(post(PATH, { model: "tiny", messages: USER_HI })))["warnings"]).toEqual(warnings)
  })

  test("is told in a stream's first chunk", async () => {
    const { post } = fakeServer(script)
    const chunks = chunksOf(
      await (await post(PATH, { model: "tiny", messages: USER_HI, stream: true })).text(),
    )
    expect(chunks.map((chunk) => chunk["warnings"])).toEqual([
      warnings,
      ...chunks.slice(1).map(() => undefined),
    ])
  })
})

describe("a whole answer", () => {
  test("has OpenAI's shape, with usage and timings", async () => {
    const { post } = fakeServer()
    const body = await jsonOf(post(PATH, { model: "tiny", messages: USER_HI }))
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: "chat.completion",
      created: expect.any(Number),
      model: "tiny",
      system_fingerprint: "xllm-1.2.3",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello world", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: {
        prompt_tokens: 5,
        completion_tokens: 2,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: 2 },
      },
      timings: {
        cache_n: 2,
        prompt_n: 3,
        prompt_ms: 500,
        prompt_per_token_ms: 500 / 3,
        prompt_per_second: 6,
        predicted_n: 2,
        predicted_ms: 100,
        predicted_per_token_ms: 100,
        predicted_per_second: 10,
        queue_ms: 3,
        load_ms: 4,
      },
    })
  })

  test("puts each choice's texts together under its index", async () => {
    const { post, engine } = fakeServer(() => eventsFrom(TWO_CHOICES))
    const body = await jsonOf(post(PATH, { messages: USER_HI, n: 2 }))
    expect(engine.lastRequest.n).toBe(2)
    expect(body["choices"]).toMatchObject([
      { index: 0, message: { content: "Aa" }, finish_reason: "stop" },
      { index: 1, message: { content: "B" }, finish_reason: "length" },
    ])
  })

  test("names the only model where the request names none", async () => {
    const { post, engine } = fakeServer()
    const body = await jsonOf(post(PATH, { messages: USER_HI }))
    expect(body["model"]).toBe("tiny")
    expect(engine.lastRequest.model).toBeUndefined()
  })

  test("reports tokens with bytes and alternatives, parts of characters as escapes", async () => {
    const logprobs = [
      [token("Hi", -0.5, [token("Hi", -0.5), token("Ho", -2)]), token(EURO.slice(0, 2), -Infinity)],
    ]
    const { post, engine } = fakeServer(() => answer(["Hi"], { logprobs }))
    const body = await jsonOf(post(PATH, { messages: USER_HI, logprobs: true, top_logprobs: 2 }))
    expect(engine.lastRequest.topLogprobs).toBe(2)
    expect(body["choices"]).toMatchObject([
      {
        logprobs: {
          content: [
            {
              token: "Hi",
              logprob: -0.5,
              bytes: [72, 105],
              top_logprobs: [
                { token: "Hi", logprob: -0.5, bytes: [72, 105] },
                { token: "Ho", logprob: -2, bytes: [72, 111] },
              ],
            },
            { token: "\\xe2\\x82", logprob: -9999, bytes: [0xe2, 0x82], top_logprobs: [] },
          ],
          refusal: null,
        },
      },
    ])
  })

  test("is an error, not half an answer, where the engine stops in the middle", async () => {
    const { post } = fakeServer(() => eventsFrom([{ type: "prompt", tokens: 1 }, ...choiceEvents(["x"])]))
    expect(await errorOf(post(PATH, { messages: USER_HI }))).toMatchObject({
      status: 500,
      code: "internal_error",
    })
  })
})

describe("a stream", () => {
  test("opens with the role, sends each text as it is, and ends with the reason and [DONE]", async () => {
    const { post } = fakeServer(() => answer(["Hel", 'lo "\n€'], { reason: "length" }))
    const response = await post(PATH, { model: "tiny", messages: USER_HI, stream: true })
    expect(response.status).toBe(200)
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8")
    const text = await response.text()
    const chunks = chunksOf(text)
    expect(chunks.map((chunk) => chunk["choices"])).toEqual([
      [
        {
          index: 0,
          delta: { role: "assistant", content: "", refusal: null },
          logprobs: null,
          finish_reason: null,
        },
      ],
      [{ index: 0, delta: { content: "Hel" }, logprobs: null, finish_reason: null }],
      [{ index: 0, delta: { content: 'lo "\n€' }, logprobs: null, finish_reason: null }],
      [{ index: 0, delta: {}, logprobs: null, finish_reason: "length" }],
    ])
    expect(eventsOf(text).at(-1)).toBe("[DONE]")
    expect(new Set(chunks.map((chunk) => chunk["id"])).size).toBe(1)
    expect(chunks[0]).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-/),
      object: "chat.completion.chunk",
      created: expect.any(Number),
      model: "tiny",
      system_fingerprint: "xllm-1.2.3",
    })
  })

  test("has timings in its last chunk, and usage nowhere unless asked for", async () => {
    const { post } = fakeServer()
    const chunks = chunksOf(await (await post(PATH, { messages: USER_HI, stream: true })).text())
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ finish_reason: "stop" }],
      timings: { predicted_n: 2, queue_ms: 3 },
    })
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true)
    expect(chunks.slice(0, -1).every((chunk) => !("timings" in chunk))).toBe(true)
  })

  test("ends with a usage chunk without choices where asked for, all others having usage null", async () => {
    const { post } = fakeServer()
    const request = { messages: USER_HI, stream: true, stream_options: { include_usage: true } }
    const chunks = chunksOf(await (await post(PATH, request)).text())
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
      timings: { prompt_n: 3 },
    })
    expect(chunks.slice(0, -1).map((chunk) => chunk["usage"])).toEqual([null, null, null, null])
  })

  test("opens every choice once and keeps their order of arrival", async () => {
    const { post } = fakeServer(() => eventsFrom(TWO_CHOICES))
    const chunks = chunksOf(await (await post(PATH, { messages: USER_HI, n: 2, stream: true })).text())
    const seen = chunks.flatMap((chunk) => chunk["choices"])
    expect(seen).toMatchObject([
      { index: 0, delta: { role: "assistant" } },
      { index: 1, delta: { role: "assistant" } },
      { index: 1, delta: { content: "B" } },
      { index: 0, delta: { content: "A" } },
      { index: 1, delta: {}, finish_reason: "length" },
      { index: 0, delta: { content: "a" } },
      { index: 0, delta: {}, finish_reason: "stop" },
    ])
    expect(seen).toHaveLength(7)
  })

  test("has the log probabilities of each chunk's tokens", async () => {
    const logprobs = [[token("a", -1)], [token("b", -2), token("c", -3)]]
    const { post } = fakeServer(() => answer(["a", "bc"], { logprobs }))
    const chunks = chunksOf(
      await (await post(PATH, { messages: USER_HI, logprobs: true, stream: true })).text(),
    )
    expect(chunks.map((chunk) => chunk["choices"]).slice(1, 3)).toMatchObject([
      [{ delta: { content: "a" }, logprobs: { content: [{ token: "a", logprob: -1, top_logprobs: [] }] } }],
      [{ delta: { content: "bc" }, logprobs: { content: [{ token: "b" }, { token: "c", logprob: -3 }] } }],
    ])
  })

  test("tells the prompt's progress only where asked for", async () => {
    const progress = { type: "progress", total: 100, cached: 20, processed: 60, ms: 12 } as const
    const script = () =>
      eventsFrom([{ type: "prompt", tokens: 100 }, progress, ...choiceEvents(["x"]), done(1)])
    const told = fakeServer(script)
    const chunks = chunksOf(
      await (await told.post(PATH, { messages: USER_HI, stream: true, return_progress: true })).text(),
    )
    expect(told.engine.lastRequest.returnProgress).toBe(true)
    expect(chunks[1]).toMatchObject({
      choices: [{ index: 0, delta: {}, finish_reason: null }],
      prompt_progress: { total: 100, cache: 20, processed: 60, time_ms: 12 },
    })
    const silent = fakeServer(script)
    const plain = await (await silent.post(PATH, { messages: USER_HI, stream: true })).text()
    expect(plain).not.toContain("prompt_progress")
    expect(silent.engine.lastRequest.returnProgress).toBe(false)
  })

  test("counts tokens in every chunk with timings_per_token", async () => {
    const progress = { type: "progress", total: 5, cached: 2, processed: 5, ms: 1 } as const
    const { post, engine } = fakeServer(() =>
      eventsFrom([{ type: "prompt", tokens: 5 }, progress, ...choiceEvents(["a", "b", "c"]), done(3)]),
    )
    const text = await (await post(PATH, { messages: USER_HI, stream: true, timings_per_token: true })).text()
    expect(engine.lastRequest.returnProgress).toBe(true)
    expect(text).not.toContain("prompt_progress")
    const timings = chunksOf(text).flatMap((chunk) => chunk["timings"] ?? [])
    expect(timings).toMatchObject(
      [1, 2, 3, 3].map((predicted_n) => ({ predicted_n, prompt_n: 3, cache_n: 2 })),
    )
  })

  test("counts in the chunks of the prompt's progress too what has been done until then", async () => {
    const progress = (processed: number) =>
      ({ type: "progress", total: 90, cached: 20, processed, ms: 1 }) as const
    const events = [20, 60, 90].map(progress)
    const { post } = fakeServer(() =>
      eventsFrom([{ type: "prompt", tokens: 90 }, ...events, ...choiceEvents(["x"]), done(1)]),
    )
    const asked = { messages: USER_HI, stream: true, timings_per_token: true, return_progress: true }
    const chunks = chunksOf(await (await post(PATH, asked)).text())
    expect(chunks.slice(1, 5)).toMatchObject([
      { prompt_progress: { processed: 20 }, timings: { cache_n: 20, prompt_n: 0, predicted_n: 0 } },
      { prompt_progress: { processed: 60 }, timings: { cache_n: 20, prompt_n: 40, predicted_n: 0 } },
      { prompt_progress: { processed: 90 }, timings: { cache_n: 20, prompt_n: 70, predicted_n: 0 } },
      { choices: [{ delta: { content: "x" } }], timings: { cache_n: 20, prompt_n: 70, predicted_n: 1 } },
    ])
  })

  test("tells the ids of tokens with return_tokens, and sends nothing where none are left", async () => {
    const { post } = fakeServer(() =>
      eventsFrom([
        { type: "prompt", tokens: 1 },
        { type: "delta", choice: 0, part: "text", text: "x", tokens: 1, ids: [7] },
        { type: "delta", choice: 0, part: "text", text: "", tokens: 0, ids: [] },
        { type: "finish", choice: 0, reason: "length", completionTokens: 1 },
        done(1),
      ]),
    )
    const request = { messages: USER_HI, return_tokens: true }
    const chunks = chunksOf(await (await post(PATH, { ...request, stream: true })).text())
    expect(chunks.map((chunk) => chunk["choices"]).slice(1)).toEqual([
      [{ index: 0, delta: { content: "x" }, logprobs: null, finish_reason: null, tokens: [7] }],
      [{ index: 0, delta: {}, logprobs: null, finish_reason: "length" }],
    ])
    expect((await jsonOf(post(PATH, request)))["choices"]).toMatchObject([{ tokens: [7] }])
  })

  test("sends no chunk for a token that completes no character", async () => {
    const { post } = fakeServer(() => answer(["", "€"]))
    const chunks = chunksOf(await (await post(PATH, { messages: USER_HI, stream: true })).text())
    expect(chunks).toHaveLength(3)
  })
})
