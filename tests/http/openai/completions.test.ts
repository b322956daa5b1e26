import { describe, expect, test } from "bun:test"
import type { CompletionRequest, GenerationEvent, GenerationRequest } from "../../../src/domain/chat"
import { QueueFull } from "../../../src/errors/request"
import {
  answer,
  choiceEvents,
  done,
  type FakeEngine,
  token,
  untilAborted,
} from "../../support/fakes/fake-engine"
import { chunksOf, errorOf, fakeServer, jsonOf } from "../../support/http"

const PATH = "/v1/completions"

function promptsOf(engine: FakeEngine): readonly (string | readonly number[])[] {
  return engine.calls.map(({ request }) => completion(request).prompt)
}

function completion(request: GenerationRequest): CompletionRequest {
  if (request.kind !== "completion") throw new Error("not a completion")
  return request
}

/** Answers with the prompt in capitals. */
function shout(request: GenerationRequest) {
  return answer([String(completion(request).prompt).toUpperCase()])
}

test("a whole completion has OpenAI's shape", async () => {
  const { post } = fakeServer()
  expect(await jsonOf(post(PATH, { model: "tiny", prompt: "Hi" }))).toMatchObject({
    id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
    object: "text_completion",
    created: expect.any(Number),
    model: "tiny",
    system_fingerprint: "xllm-1.2.3",
    choices: [{ index: 0, text: "Hello world", logprobs: null, finish_reason: "stop" }],
    usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    timings: { predicted_n: 2 },
  })
})

test("a stream sends texts, the reason, and timings in the last chunk", async () => {
  const { post } = fakeServer()
  const text = await (await post(PATH, { prompt: "Hi", stream: true })).text()
  expect(chunksOf(text).map((chunk) => chunk["choices"])).toEqual([
    [{ index: 0, text: "Hello", logprobs: null, finish_reason: null }],
    [{ index: 0, text: " world", logprobs: null, finish_reason: null }],
    [{ index: 0, text: "", logprobs: null, finish_reason: "stop" }],
  ])
  expect(chunksOf(text).at(-1)).toMatchObject({ object: "text_completion", timings: { predicted_n: 2 } })
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true)
})

describe("with return_tokens", () => {
  /** Two tokens and the one that ends the answer, whose text is none. */
  const script = async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 5 }
    yield { type: "delta", choice: 0, part: "text", text: "ab", tokens: 2, ids: [11, 12] }
    yield { type: "delta", choice: 0, part: "text", text: "", tokens: 0, ids: [2] }
    yield { type: "finish", choice: 0, reason: "stop", completionTokens: 3 }
    yield done(3)
  }

  test("each choice tells the ids of its generated tokens", async () => {
    const { post, engine } = fakeServer(script)
    const body = await jsonOf(post(PATH, { prompt: "Hi", return_tokens: true }))
    expect(engine.lastRequest.reportsTokens).toBe(true)
    expect(body["choices"]).toEqual([
      { index: 0, text: "ab", logprobs: null, finish_reason: "stop", tokens: [11, 12, 2] },
    ])
  })

  test("chunks tell those of their text, and the last ones without any", async () => {
    const { post } = fakeServer(script)
    const text = await (await post(PATH, { prompt: "Hi", stream: true, return_tokens: true })).text()
    expect(chunksOf(text).map((chunk) => chunk["choices"])).toEqual([
      [{ index: 0, text: "ab", logprobs: null, finish_reason: null, tokens: [11, 12] }],
      [{ index: 0, text: "", logprobs: null, finish_reason: null, tokens: [2] }],
      [{ index: 0, text: "", logprobs: null, finish_reason: "stop" }],
    ])
  })
})

describe("prompts", () => {
  test("may be a text, token ids, or several of either", async () => {
    const { post, engine } = fakeServer()
    await post(PATH, { prompt: "a" })
    await post(PATH, { prompt: [1, 2] })
    await post(PATH, { prompt: ["b", "c"] })
    await post(PATH, { prompt: [[3], [4, 5]] })
    expect(promptsOf(engine)).toEqual(["a", [1, 2], "b", "c", [3], [4, 5]])
  })

  test("run side by side; choices are numbered prompt by prompt and usage is summed", async () => {
    const started: string[] = []
    const { promise: allStarted, resolve } = Promise.withResolvers<void>()
    const { post } = fakeServer(async function* (request) {
      const prompt = String(completion(request).prompt)
      if (started.push(prompt) === 3) resolve()
      await allStarted
      yield { type: "prompt", tokens: 5 }
      for (const choice of [0, 1]) yield* choiceEvents([`${prompt}${choice}`], { choice })
      yield done(2)
    })
    const body = await jsonOf(post(PATH, { prompt: ["a", "b", "c"], n: 2 }))
    expect(body["choices"]).toMatchObject(
      ["a0", "a1", "b0", "b1", "c0", "c1"].map((text, index) => ({ text, index })),
    )
    expect(body["usage"]).toEqual({
      prompt_tokens: 15,
      completion_tokens: 6,
      total_tokens: 21,
      prompt_tokens_details: { cached_tokens: 6 },
    })
    expect(body).not.toHaveProperty("timings")
  })

  test("that are many do not all run at once, and all are answered", async () => {
    let running = 0
    let most = 0
    const { post } = fakeServer(async function* (request) {
      most = Math.max(most, ++running)
      yield* shout(request)
      running--
    })
    const prompt = Array.from({ length: 200 }, (_, index) => `p${index}`)
    const { choices } = (await jsonOf(post(PATH, { prompt }))) as { choices: readonly { text: string }[] }
    expect(choices.map(({ text }) => text)).toEqual(prompt.map((text) => text.toUpperCase()))
    expect(most).toBe(64)
  })

  test("of one stream are told apart by their index, with one usage at the end", async () => {
    const { post } = fakeServer(shout)
    const request = { prompt: ["a", "b"], stream: true, stream_options: { include_usage: true } }
    const chunks = chunksOf(await (await post(PATH, request)).text())
    const choices = chunks.flatMap((chunk) => chunk["choices"] as readonly Record<string, unknown>[])
    const textOf = (index: number) =>
      choices.filter((choice) => choice["index"] === index).map((choice) => choice["text"])
    expect([textOf(0), textOf(1)]).toEqual([
      ["A", ""],
      ["B", ""],
    ])
    expect(chunks.filter((chunk) => chunk["usage"] !== null)).toMatchObject([
      { choices: [], usage: { total_tokens: 12 } },
    ])
  })

  test("fail together: the others are given up", async () => {
    const { post, engine } = fakeServer(async function* (request, signal): AsyncGenerator<GenerationEvent> {
      yield { type: "prompt", tokens: 1 }
      if (completion(request).prompt === "bad") throw new QueueFull("tiny", 5, 2)
      await untilAborted(signal)
    })
    const error = await errorOf(post(PATH, { prompt: ["good", "bad"] }))
    expect(error).toMatchObject({ status: 503, code: "queue_full" })
    expect(engine.calls).toHaveLength(2)
    await Promise.all(engine.calls.map(({ left }) => left))
  })
})

describe("echo", () => {
  async function* echoed(): AsyncGenerator<GenerationEvent> {
    const first = { id: 1, bytes: [72] }
    yield { type: "prompt", tokens: 2, text: "Hé", logprobs: [first, token("é", -1, [token("é", -1)])] }
    yield* choiceEvents(["!"], { logprobs: [[token("!", -2, [token("?", -0.1)])]] })
    yield done(1)
  }

  test("puts the prompt before the answer, its first token without a probability", async () => {
    const { post, engine } = fakeServer(echoed)
    const body = await jsonOf(post(PATH, { prompt: "Hé", echo: true, logprobs: 1 }))
    expect(completion(engine.lastRequest).echo).toBe(true)
    expect(body["choices"]).toEqual([
      {
        index: 0,
        text: "Hé!",
        logprobs: {
          tokens: ["H", "é", "!"],
          token_logprobs: [null, -1, -2],
          top_logprobs: [null, { é: -1 }, { "?": -0.1, "!": -2 }],
          text_offset: [0, 1, 2],
        },
        finish_reason: "stop",
      },
    ])
  })

  test("is the first text of a stream, and offsets go on from it", async () => {
    const { post } = fakeServer(echoed)
    const text = await (await post(PATH, { prompt: "Hé", echo: true, logprobs: 1, stream: true })).text()
    expect(chunksOf(text).map((chunk) => chunk["choices"])).toMatchObject([
      [{ text: "Hé", logprobs: { tokens: ["H", "é"], text_offset: [0, 1] } }],
      [{ text: "!", logprobs: { tokens: ["!"], text_offset: [2] } }],
      [{ text: "", finish_reason: "stop" }],
    ])
  })
})

test("tokens that are parts of characters are written as bytes, at the place of their character", async () => {
  const parts = [[token("a", -1), token([0xe2, 0x82], -2), token([0xac], -3), token("b", -4)]]
  const { post } = fakeServer(() => answer(["a€b"], { logprobs: parts }))
  const body = await jsonOf(post(PATH, { prompt: "Hi", logprobs: 0 }))
  expect(body["choices"]).toMatchObject([
    { logprobs: { tokens: ["a", "bytes:\\xe2\\x82", "bytes:\\xac", "b"], text_offset: [0, 1, 1, 2] } },
  ])
})

describe("best_of", () => {
  async function* four(): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 5 }
    const logprobs = [[-3, -3], [-1, -1.5], [-2], [-0.5, -9]]
    for (const [choice, values] of logprobs.entries()) {
      yield* choiceEvents(
        values.map(() => `${choice}`),
        { choice, logprobs: values.map((value) => [token("x", value)]) },
      )
    }
    yield done(7)
  }

  test("returns the n choices with the best mean log probability, best first, and counts all", async () => {
    const { post, engine } = fakeServer(four)
    const body = await jsonOf(post(PATH, { prompt: "Hi", n: 2, best_of: 4 }))
    expect(engine.lastRequest).toMatchObject({ n: 4, topLogprobs: 0 })
    expect(body["choices"]).toMatchObject([
      { index: 0, text: "11", logprobs: null },
      { index: 1, text: "2", logprobs: null },
    ])
    expect(body["usage"]).toMatchObject({ completion_tokens: 7 })
  })

  test("does not go with a stream, and is not less than n", async () => {
    const { post } = fakeServer()
    expect(await errorOf(post(PATH, { prompt: "Hi", best_of: 2, stream: true }))).toMatchObject({
      status: 400,
      param: "best_of",
    })
    expect(await errorOf(post(PATH, { prompt: "Hi", n: 3, best_of: 2 }))).toMatchObject({
      message: "best_of must be at least n (3), got 2",
    })
  })
})

test("a suffix is handed over; an empty one means none", async () => {
  const { post, engine } = fakeServer()
  await post(PATH, { prompt: "a", suffix: "z" })
  expect(completion(engine.lastRequest).suffix).toBe("z")
  await post(PATH, { prompt: "a", suffix: "" })
  expect(completion(engine.lastRequest)).not.toHaveProperty("suffix")
})

test("a completion usually has OpenAI's 16 tokens; -1 lifts every limit, 0 only evaluates", async () => {
  const { post, engine } = fakeServer()
  await post(PATH, { prompt: "a" })
  expect(engine.lastRequest).not.toHaveProperty("maxTokens")
  expect(engine.lastRequest.defaultMaxTokens).toBe(16)
  await post(PATH, { prompt: "a", max_tokens: -1 })
  expect(engine.lastRequest.maxTokens).toBe(Number.POSITIVE_INFINITY)
  await post(PATH, { prompt: "a", max_tokens: 0 })
  expect(engine.lastRequest.maxTokens).toBe(0)
})
