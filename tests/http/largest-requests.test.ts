import { afterAll, beforeAll, expect, test } from "bun:test"
import { join } from "node:path"
import { BODY_BYTES, COUNTS, FORM, JSON_SHAPE, TEMPLATE_ARGUMENTS, TEXTS } from "../../src/limits"
import { writeTinyModel } from "../support/files/tiny-model"
import { WatchedServer } from "../support/start-watched"
import { tempFolder } from "../support/temp-folder"

/** The most CPU time, in milliseconds, that anybody may take before others get their turn. */
const MOST_MS = 250

const folder = tempFolder()
let server: WatchedServer
let url = ""

beforeAll(async () => {
  writeTinyModel(join(folder.path, "tiny.gguf"))
  server = await WatchedServer.start(folder.path)
  url = server.url
})
afterAll(async () => {
  await server.stop()
  folder[Symbol.dispose]()
})

function post(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return server.post(path, body, headers)
}

// ----------------------------------------------------------------------------- the largest of everything

const USER_HI = [{ role: "user", content: "Hi" }]
const CHAT = "/v1/chat/completions"
const COMPLETIONS = "/v1/completions"

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))
const text = (length: number, character = "x") => character.repeat(length)
const keys = (count: number) => Object.fromEntries(many(count, (index) => [index.toString(36), 1]))
/** A chat in a body of that many bytes; `piece` is JSON inside of a text. */
const chatOf = (bytes: number, piece: string) =>
  `{"messages":[{"role":"user","content":"${text(Math.floor((bytes - 60) / Buffer.byteLength(piece)), piece)}"}]}`
const chatWith = (json: string) =>
  `{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"extra":${json}}`

/** Texts and lists that every generation may have, each as long as it can be. */
const EVERYTHING = {
  max_tokens: 1,
  stop: many(COUNTS.stops.maxItems, (index) => `${index}${text(TEXTS.stop.maxLength - 2)}`),
  dry_multiplier: 1,
  dry_sequence_breakers: many(COUNTS.sequenceBreakers.maxItems, (index) => `${index}`.padEnd(40, "x")),
  dry_penalty_last_n: 2 ** 31 - 1,
  repeat_penalty: 1.1,
  repeat_last_n: 2 ** 31 - 1,
  logit_bias: Object.fromEntries([
    ...many(COUNTS.biasedTexts.maxItems, (index) => [`${index} `.padEnd(64, "y"), 1]),
    ...many(COUNTS.biases.maxItems - COUNTS.biasedTexts.maxItems, (index) => [index, 1]),
  ]),
  keep_alive: 3_153_600_000,
}

function form(): FormData {
  const parts = new FormData()
  parts.append("file", new Blob([new Uint8Array(20 * 1024 ** 2)]), "a.wav")
  parts.append("model", text(TEXTS.model.maxLength))
  for (const part of many(FORM.parts - 2, (index) => `part${index}`)) parts.append(part, text(FORM.textBytes))
  return parts
}

const CASES: readonly (readonly [
  what: string,
  send: () => Promise<Response>,
  statuses: readonly number[],
])[] = [
  ["a name", () => post(CHAT, { model: text(TEXTS.model.maxLength), messages: USER_HI }), [404]],
  ["every list and text of a generation", () => post(CHAT, { ...EVERYTHING, messages: USER_HI }), [200]],
  [
    "messages",
    () =>
      post(CHAT, {
        messages: many(COUNTS.messages.maxItems, () => ({ role: "user", content: "Hi", name: text(512) })),
      }),
    [400],
  ],
  [
    "parts of content",
    () =>
      post(CHAT, {
        messages: [
          { role: "user", content: many(COUNTS.contentParts.maxItems, () => ({ type: "text", text: "Hi" })) },
        ],
      }),
    [400],
  ],
  [
    "arguments of templates",
    () =>
      post(CHAT, {
        ...{ messages: USER_HI, max_tokens: 1 },
        chat_template_kwargs: { a: many(TEMPLATE_ARGUMENTS.values - 3, () => 1), b: text(2 ** 20 - 2) },
      }),
    [200],
  ],
  ["a text", () => post(CHAT, chatOf(BODY_BYTES.generation, "x")), [400]],
  ["a text of umlauts", () => post(CHAT, chatOf(BODY_BYTES.generation, "é")), [400]],
  ["a text of escapes", () => post(CHAT, chatOf(BODY_BYTES.generation, "\\n")), [200, 400]],
  ["a text of escaped characters", () => post(CHAT, chatOf(BODY_BYTES.generation, "\\u4e00")), [400]],
  ["spaces", () => post(COMPLETIONS, `{"prompt":"${text(BODY_BYTES.generation - 20, " ")}"}`), [400]],
  [
    "token ids",
    () => post(COMPLETIONS, { prompt: many(COUNTS.promptTokens.maxItems, (id) => id % 500) }),
    [400],
  ],
  [
    "prompts",
    () =>
      post(COMPLETIONS, { prompt: many(COUNTS.prompts.maxItems, () => "Hi"), max_tokens: 1, logprobs: 20 }),
    [200],
  ],
  [
    "prompts with biases",
    () =>
      post(COMPLETIONS, {
        prompt: many(COUNTS.prompts.maxItems / 8, () => "Hi"),
        ...{ max_tokens: 1, logit_bias: many(512, (id) => [id, 1]) },
      }),
    [200],
  ],
  [
    "choices with log probabilities",
    () => post(CHAT, { messages: USER_HI, n: 128, max_tokens: 16, logprobs: true, top_logprobs: 20 }),
    [200],
  ],
  [
    "an echo with log probabilities",
    () =>
      post(COMPLETIONS, {
        prompt: many(3000, (id) => 5 + (id % 400)),
        echo: true,
        logprobs: 20,
        max_tokens: 0,
      }),
    [200],
  ],
  ["keys", () => post(CHAT, chatWith(JSON.stringify(keys(JSON_SHAPE.keys - 10)))), [200]],
  ["values", () => post(CHAT, chatWith(`[${text(JSON_SHAPE.values - 20, "1,")}1]`)), [200]],
  ["levels", () => post(CHAT, chatWith(text(8000, "[") + text(8000, "]"))), [200]],
  ["levels without an end", () => post(CHAT, chatWith(text(BODY_BYTES.generation - 100, "["))), [400]],
  ["keys without an end", () => post(CHAT, chatWith(JSON.stringify(keys(1_000_000)))), [400]],
  ["a text that is larger", () => post(CHAT, chatOf(BODY_BYTES.generation + 100, "x")), [400, 413]],
  ["a body that is larger", () => post(CHAT, chatOf(BODY_BYTES.withMedia + 100, "x")), [413]],
  [
    "a text to be spoken",
    () => post("/v1/audio/speech", { input: text(4096), voice: text(512) }),
    [400, 404],
  ],
  [
    "a prompt of an image",
    () => post("/v1/images/generations", { prompt: text(32_000), negative_prompt: text(32_000, "😀") }),
    [400, 404],
  ],
  ["a form", () => fetch(`${url}/v1/audio/transcriptions`, { method: "POST", body: form() }), [404]],
  ["a path", () => fetch(`${url}/v1/models/${text(14_000)}?${text(1000)}`), [404]],
  ["headers", () => post(CHAT, "{}", { "x-request-id": text(128), "x-other": text(14_000) }), [400]],
]

/** Uses the server as others do, until it is stopped; tells how often it was served. */
function others() {
  const served = { lives: 0, texts: 0, failures: 0 }
  let goesOn = true
  const probing = (async () => {
    while (goesOn) {
      const response = await fetch(`${url}/v0/health/live`)
      if (response.ok) served.lives++
      else served.failures++
      await response.text()
      // Others are not to be kept from their work by the test itself.
      await Bun.sleep(10)
    }
  })()
  const talking = (async () => {
    while (goesOn) {
      const body = { prompt: "the cat", stream: true, max_tokens: 500, ignore_eos: true }
      const response = await post(COMPLETIONS, body)
      const stream = await response.text()
      if (stream.endsWith("data: [DONE]\n\n")) served.texts += stream.split("\n\n").length
      else served.failures++
    }
  })()
  return {
    served,
    stop: async () => {
      goesOn = false
      await Promise.all([probing, talking])
    },
  }
}

test("the largest value that each field takes holds nobody up", async () => {
  expect((await post(COMPLETIONS, { prompt: "the", max_tokens: 1 })).status).toBe(200)
  const { served, stop } = others()
  await server.busiestMs()
  const slow: string[] = []
  for (const [what, send, statuses] of CASES) {
    const response = await send()
    await response.text()
    const ms = await server.busiestMs()
    if (ms > MOST_MS) slow.push(`${what}: ${Math.round(ms)} ms`)
    expect([what, statuses.includes(response.status), response.status]).toEqual([what, true, response.status])
  }
  await stop()
  expect(slow).toEqual([])
  expect(served.failures).toBe(0)
  expect(served.lives).toBeGreaterThan(CASES.length)
  expect(served.texts).toBeGreaterThan(CASES.length)
}, 300_000)
