import { describe, expect, test } from "bun:test"
import type { CompletionRequest, GenerationEvent, GenerationRequest } from "../../../src/domain/chat"
import { InternalError } from "../../../src/errors/base"
import { ContextLengthExceeded } from "../../../src/errors/request"
import { answer, done } from "../../support/fakes/fake-engine"
import { chunksOf, fakeServer, jsonOf } from "../../support/http"

function completion(request: GenerationRequest): CompletionRequest {
  if (request.kind !== "completion") throw new Error("not a completion")
  return request
}

const LINE: readonly GenerationEvent[] = [
  { type: "prompt", tokens: 5 },
  { type: "delta", choice: 0, part: "text", text: "a\n", tokens: 1, ids: [11] },
  { type: "delta", choice: 0, part: "text", text: "b", tokens: 1, ids: [12] },
  { type: "finish", choice: 0, reason: "stop", stop: "END", completionTokens: 3 },
  done(3),
]

async function* line(): AsyncGenerator<GenerationEvent> {
  yield* LINE
}

describe("a whole completion", () => {
  test("has llama-server's fields", async () => {
    const { post } = fakeServer(line)
    const body = { prompt: "Hi", n_predict: 9, temperature: 3, return_tokens: true }
    expect(await jsonOf(post("/completion", body))).toEqual({
      index: 0,
      content: "a\nb",
      tokens: [11, 12],
      id_slot: -1,
      stop: true,
      model: "tiny",
      tokens_predicted: 3,
      tokens_evaluated: 5,
      generation_settings: expect.objectContaining({
        temperature: 3,
        n_predict: 7,
        n_probs: 0,
        stream: false,
      }),
      prompt: "prompt",
      has_new_line: true,
      truncated: false,
      stop_type: "word",
      stopping_word: "END",
      tokens_cached: 8,
      timings: expect.objectContaining({ predicted_n: 3 }),
    })
  })

  test("shows the token that begins its prompt, and tells the sequence it ran in", async () => {
    const { post, engine } = fakeServer(async function* () {
      for (const event of LINE) yield event.type === "finish" ? { ...event, slot: 2 } : event
    })
    const render = engine.render.bind(engine)
    engine.render = async (request) => ({ ...(await render(request)), bos: "<s>" })
    expect(await jsonOf(post("/completion", { prompt: "Hi", id_slot: 2 }))).toMatchObject({
      prompt: "<s>prompt",
      id_slot: 2,
    })
    expect(completion(engine.lastRequest).slot).toBe(2)
    await post("/completion", { prompt: "Hi" })
    expect(completion(engine.lastRequest).slot).toBe(-1)
  })

  test("is truncated where the context ends it", async () => {
    const { post, engine } = fakeServer(() => answer(["a", "b"], { reason: "length", promptTokens: 5 }))
    const truncated = async (served: number) => {
      engine.contexts = { trained: 512, served }
      return (await jsonOf(post("/completion", { prompt: "Hi" })))["truncated"]
    }
    expect([await truncated(8), await truncated(7)]).toEqual([false, true])
  })

  test("of a list of prompts is a list", async () => {
    const { post } = fakeServer((request) => answer([String(completion(request).prompt)]))
    const one = await (await post("/completions", { prompt: ["a"] })).json()
    expect(one).toMatchObject([{ index: 0, content: "a" }])
    const two = await (await post("/completion", { prompt: ["a", { prompt_string: "b" }, [1, 2]] })).json()
    expect(two).toMatchObject([
      { index: 0, content: "a" },
      { index: 1, content: "b" },
      { index: 2, content: "1,2" },
    ])
  })

  test("of thousands of prompts takes as few of them at a time as it runs", async () => {
    let [open, most] = [0, 0]
    const { post, engine } = fakeServer((request) => answer([String(completion(request).prompt)]))
    const render = engine.render.bind(engine)
    engine.render = async (request) => {
      most = Math.max(most, ++open)
      await Promise.resolve()
      const rendered = await render(request)
      open--
      return rendered
    }
    const prompt = Array.from({ length: 2048 }, (_, index) => `p${index}`)
    const body = (await (await post("/completion", { prompt })).json()) as readonly { content: string }[]
    expect(body.map(({ content }) => content)).toEqual(prompt)
    expect(most).toBeLessThanOrEqual(64)
  })

  test("of token ids is one", async () => {
    const { post, engine } = fakeServer()
    expect(await jsonOf(post("/completion", { prompt: [1, 2] }))).toMatchObject({ content: "Hello world" })
    expect(completion(engine.lastRequest).prompt).toEqual([1, 2])
  })

  test("of token ids with texts among them is one", async () => {
    const { post, engine } = fakeServer()
    const mixed = await post("/completion", { prompt: [1, "ab", 2, "c"] })
    expect(await jsonOf(mixed)).toMatchObject({ content: "Hello world" })
    expect(completion(engine.lastRequest).prompt).toEqual([1, 97, 98, 2, 99])
    const list = await post("/completion", { prompt: [[1, "a"], "b", { prompt_string: "c" }] })
    expect(await list.json()).toHaveLength(3)
    expect(engine.calls.slice(1).map(({ request }) => completion(request).prompt)).toEqual([
      [1, 97],
      "b",
      "c",
    ])
  })

  test("ends by time and indentation, where its editor asks for that", async () => {
    const { post, engine } = fakeServer()
    await post("/completion", { prompt: "Hi", n_indent: 4, t_max_predict_ms: 500, post_sampling_probs: true })
    expect(engine.lastRequest).toMatchObject({
      leastIndent: 4,
      lineBreakEndsAfterMs: 500,
      logprobsAfterSampling: true,
    })
    await post("/infill", { input_prefix: "Hi", t_max_predict_ms: -1 })
    expect(engine.lastRequest).not.toHaveProperty("lineBreakEndsAfterMs")
  })

  test("has probabilities after sampling under llama-server's names", async () => {
    const token = { id: 5, bytes: [97], logprob: Math.log(0.5) }
    const { post } = fakeServer(() => answer(["a"], { logprobs: [[{ ...token, top: [token] }]] }))
    const body = { prompt: "Hi", n_probs: 1, post_sampling_probs: true }
    const shown = { id: 5, token: "a", bytes: [97], prob: 0.5 }
    expect(await jsonOf(post("/completion", body))).toMatchObject({
      completion_probabilities: [{ ...shown, top_probs: [shown] }],
      generation_settings: { post_sampling_probs: true },
    })
    const chunks = chunksOf(await (await post("/completion", { ...body, stream: true })).text())
    expect(chunks[0]).toMatchObject({ completion_probabilities: [{ ...shown, top_probs: [shown] }] })
  })

  test("has the settings that typed clients look for", async () => {
    const { post } = fakeServer(line)
    const settings = { seed: 4294967295, n_keep: 0, stream: false, timings_per_token: false, lora: [] }
    const names = [
      "penalties",
      "dry",
      "top_n_sigma",
      "top_k",
      "typ_p",
      "top_p",
      "min_p",
      "xtc",
      "temperature",
    ]
    expect(await jsonOf(post("/completion", { prompt: "Hi", seed: -1 }))).toMatchObject({
      generation_settings: { ...settings, samplers: names },
    })
    const samplers = ["temperature", "top_k"]
    expect(await jsonOf(post("/completion", { prompt: "Hi", seed: 3, samplers }))).toMatchObject({
      generation_settings: { seed: 3, samplers: ["penalties", "dry", "temperature", "top_k"] },
    })
  })

  test("passes over empty stop texts in a list", async () => {
    const { post, engine } = fakeServer()
    await post("/completion", { prompt: "Hi", stop: ["", "END"] })
    expect(engine.lastRequest.stop).toEqual(["END"])
  })

  test("has only the fields that were asked for", async () => {
    const { post } = fakeServer(line)
    const response_fields = ["content", "timings/predicted_n", "timings/none", "__proto__/x"]
    expect(await jsonOf(post("/completion", { prompt: "Hi", response_fields }))).toEqual({
      content: "a\nb",
      "timings/predicted_n": 3,
    })
  })

  test("has the probabilities of its tokens", async () => {
    const token = { id: 7, bytes: [104], logprob: -1 }
    const { post, engine } = fakeServer(async function* () {
      yield { type: "prompt", tokens: 5 }
      const logprobs = [{ ...token, top: [token] }]
      yield { type: "delta", choice: 0, part: "text", text: "h", tokens: 1, logprobs }
      yield { type: "finish", choice: 0, reason: "length", completionTokens: 1 }
      yield done(1)
    })
    const shown = { id: 7, token: "h", bytes: [104], logprob: -1 }
    const body = await jsonOf(post("/completion", { prompt: "Hi", n_probs: 100 }))
    expect(body).toMatchObject({
      stop_type: "limit",
      completion_probabilities: [{ ...shown, top_logprobs: [shown] }],
    })
    expect(engine.lastRequest.topLogprobs).toBe(100)
  })
})

describe("a stream", () => {
  test("has a message for each piece, and a last one that says how it ended", async () => {
    const { post } = fakeServer(line)
    const text = await (await post("/completion", { prompt: "Hi", stream: true })).text()
    const piece = { index: 0, stop: false, id_slot: -1, tokens_evaluated: 5 }
    expect(chunksOf(text)).toEqual([
      { ...piece, content: "a\n", tokens: [11], tokens_predicted: 1 },
      { ...piece, content: "b", tokens: [12], tokens_predicted: 2 },
      expect.objectContaining({
        content: "",
        stop: true,
        stop_type: "word",
        has_new_line: true,
        tokens_predicted: 3,
        prompt: "prompt",
      }),
    ])
    expect(text).not.toContain("[DONE]")
  })

  test("that fails ends with an error", async () => {
    const { post } = fakeServer(async function* () {
      yield* LINE.slice(0, 2)
      throw new InternalError("gone")
    })
    const text = await (await post("/completion", { prompt: "Hi", stream: true })).text()
    expect(chunksOf(text).at(-1)).toEqual({ error: { code: 500, message: "gone", type: "server_error" } })
  })
})

test("sampling numbers out of range mean the nearest that is in it, as in llama.cpp", async () => {
  const { post, engine } = fakeServer()
  const fields = {
    ...{
      temperature: -1,
      top_k: -7,
      top_p: 2,
      min_p: -1,
      typical_p: 3,
      xtc_threshold: 9,
      dynatemp_range: 900,
    },
    ...{
      n_probs: 512,
      logit_bias: [
        [5, 5000],
        ["a", false],
      ],
      dry_base: 0.5,
      mirostat_eta: 2,
    },
  }
  expect((await post("/completion", { prompt: "Hi", ...fields })).status).toBe(200)
  expect(engine.lastRequest).toMatchObject({
    topLogprobs: 512,
    sampling: {
      ...{ temperature: 0, topK: 0, topP: 1, minP: 0, typicalP: 1, xtcThreshold: 1 },
      ...{ dynamicTemperatureRange: 900, dryBase: 1, mirostatEta: 1 },
      logitBias: [
        [5, 5000],
        ["a", -Infinity],
      ],
    },
  })
  expect((await post("/completion", { prompt: "Hi", temperature: "hot" })).status).toBe(400)
})

describe("errors have llama-server's shape", () => {
  test("for a field", async () => {
    const { post } = fakeServer()
    const response = await post("/completion", { prompt: "Hi", repeat_last_n: -2 })
    expect(response.status).toBe(400)
    const message = "repeat_last_n must be a whole number between -1 and 2147483647, got -2"
    expect(await response.json()).toEqual({ error: { code: 400, message, type: "invalid_request_error" } })
  })

  test("for a prompt that is too long", async () => {
    const { post } = fakeServer(async function* () {
      yield { type: "queued", position: 0 }
      throw new ContextLengthExceeded(99, 10, "prompt")
    })
    expect((await jsonOf(post("/completion", { prompt: "Hi" })))["error"]).toMatchObject({
      code: 400,
      type: "exceed_context_size_error",
      n_prompt_tokens: 99,
      n_ctx: 10,
      message: expect.stringMatching(
        /^request \(99 tokens\) exceeds the available context size \(10 tokens\): /,
      ),
    })
  })
})

describe("a gap in code", () => {
  const body = {
    input_prefix: "int main() {\n",
    prompt: "  int n = ",
    input_suffix: "}\n",
    input_extra: [{ filename: "a.h", text: "int a();" }],
    samplers: ["top_k", "top_p"],
    n_predict: 0,
    t_max_prompt_ms: 500,
  }

  test("is filled between the text before and after it", async () => {
    const { post, engine } = fakeServer()
    expect((await post("/infill", body)).status).toBe(200)
    expect(completion(engine.lastRequest)).toMatchObject({
      prompt: "int main() {\n  int n = ",
      suffix: "}\n",
      files: [{ name: "a.h", text: "int a();" }],
      cutsToFit: true,
      maxTokens: 0,
    })
  })

  test("needs the text of other files", async () => {
    const { post } = fakeServer()
    for (const extra of [{}, { filename: "ok" }, { filename: 1, text: "a" }, { filename: "a", text: 4 }, "a"])
      expect((await post("/infill", { ...body, input_extra: [extra] })).status).toBe(400)
  })
})
