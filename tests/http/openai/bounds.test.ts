import { describe, expect, test } from "bun:test"
import { XllmError } from "../../../src/errors/base"
import { toSpeechCall } from "../../../src/http/openai/audio/speech-call"
import { toTranscriptionCall } from "../../../src/http/openai/audio/transcription-call"
import { toEditCall, toGenerationCall, toVariationCall } from "../../../src/http/openai/images/image-call"
import { toNativeCall } from "../../../src/http/llama-server/completion-call"
import { toChatCall, toCompletionCall } from "../../../src/http/openai/translate"
import { Fields } from "../../../src/http/read/fields"
import type { JsonObject } from "../../../src/http/read/body/json-body"
import { readModel } from "../../../src/http/read/options"
import { USER_HI } from "../../support/http"

interface Reader {
  readonly read: (body: JsonObject) => unknown
  /** The least that is accepted. */
  readonly least: JsonObject
  /** Fields whose text is as long as the body may be, and bounded by the model's context where that is known. */
  readonly free: readonly string[]
}

const SOURCE = { imagePath: "/tmp/image" }

const READERS: Readonly<Record<string, Reader>> = {
  chat: { read: toChatCall, least: { messages: USER_HI }, free: [] },
  "a message of a chat": {
    read: (message) => toChatCall({ messages: [message] }),
    least: { role: "user", content: "Hi" },
    free: ["content"],
  },
  "a message of an assistant": {
    read: (message) => toChatCall({ messages: [message] }),
    least: { role: "assistant", content: "Hi" },
    free: ["content", "reasoning_content", "reasoning"],
  },
  "a tool of a chat": {
    read: (tool) => toChatCall({ messages: USER_HI, tools: [tool] }),
    least: { type: "function", function: { name: "f" } },
    free: [],
  },
  "the function of a tool": {
    read: (called) => toChatCall({ messages: USER_HI, tools: [{ type: "function", function: called }] }),
    least: { name: "f" },
    free: [],
  },
  "the choice of a tool": {
    read: (tool_choice) =>
      toChatCall({ messages: USER_HI, tools: [{ type: "function", function: { name: "f" } }], tool_choice }),
    least: { type: "function", function: { name: "f" } },
    free: [],
  },
  "thinking of a chat": {
    read: (thinking) => toChatCall({ messages: USER_HI, thinking }),
    least: {},
    free: [],
  },
  "reasoning of a chat": {
    read: (reasoning) => toChatCall({ messages: USER_HI, reasoning }),
    least: {},
    free: [],
  },
  "a tool call of a chat": {
    read: (call) => toChatCall({ messages: [{ role: "assistant", tool_calls: [call] }] }),
    least: { id: "1", function: { name: "f" } },
    free: [],
  },
  "the function of a tool call": {
    read: (called) =>
      toChatCall({ messages: [{ role: "assistant", tool_calls: [{ id: "1", function: called }] }] }),
    least: { name: "f" },
    free: ["arguments"],
  },
  "stream_options of a chat": {
    read: (stream_options) => toChatCall({ messages: USER_HI, stream_options }),
    least: {},
    free: [],
  },
  completion: { read: toCompletionCall, least: { prompt: "Hi" }, free: ["prompt", "suffix"] },
  "stop of a model": { read: (body) => readModel(new Fields(body)), least: { model: "m" }, free: [] },
  // A long book, within the limit of the body.
  speech: { read: toSpeechCall, least: { input: "Hi" }, free: ["input"] },
  transcription: {
    read: (body) => toTranscriptionCall({ body, audioPath: "/tmp/audio", task: "transcribe" }),
    least: {},
    free: [],
  },
  "image generation": { read: toGenerationCall, least: { prompt: "a cat" }, free: [] },
  "image edit": { read: (body) => toEditCall(body, SOURCE), least: { prompt: "a cat" }, free: [] },
  "image variation": { read: (body) => toVariationCall(body, SOURCE), least: {}, free: [] },
}

/** Values that are too much for whatever they are given to. */
const ABSURD: Readonly<Record<string, unknown>> = {
  "a text of a million characters": "x".repeat(1_000_000),
  "a million digits": "9".repeat(1_000_000),
  "a million digits and a unit": `${"9".repeat(1_000_000)}h`,
  "a number of 300 digits": 1e300,
  "a negative number of 300 digits": -1e300,
  "a list of 200,000 texts": Array(200_000).fill("x"),
  "a list of ten texts of 100,000 characters": Array(10).fill("x".repeat(100_000)),
  "a list of 3,000,000 numbers": Array(3_000_000).fill(1),
  "a list of 200,000 pairs": Array(200_000).fill(["x", 1]),
  "a list of 200,000 lists": Array(200_000).fill([]),
  "a list of 200,000 objects": Array(200_000).fill({ type: "text", text: "x", role: "user", content: "x" }),
  "an object of 200,000 keys": Object.fromEntries(
    Array.from({ length: 200_000 }, (_, id) => [String(id), 1]),
  ),
  "an object with a key of two million characters": { ["x".repeat(2_000_000)]: 1 },
  "an object with a text of two million characters": { id: "x".repeat(2_000_000) },
}

/** The most that may be left of an absurd value in a request, in characters of JSON. */
const MOST_LEFT = 10_000

/** The names of all fields that a reader asks for. */
function fieldsOf({ read, least }: Reader): readonly string[] {
  const names = new Set<string>()
  const spy = new Proxy(least, {
    get: (target, name) => {
      if (typeof name === "string") names.add(name)
      return Reflect.get(target, name)
    },
  })
  read(spy)
  return [...names]
}

/** What is wrong with how a reader takes a value: `undefined` where it refuses it, or makes nothing of it. */
function faultOf(read: Reader["read"], body: JsonObject): string | undefined {
  try {
    const taken = read(body)
    const left = JSON.stringify(taken).length
    if (left > MOST_LEFT) return `takes it: ${left} characters`
    return isSane(taken) ? undefined : "takes a number that is no use"
  } catch (error) {
    if (!(error instanceof XllmError)) return `fails with ${String(error)}`
    if (error.status !== 400) return `is a ${error.status}`
    return error.message.length > 400 ? `repeats it: ${error.message.length} characters` : undefined
  }
}

/** Are all numbers ones that can be counted with? */
function isSane(value: unknown): boolean {
  if (typeof value === "number") return Math.abs(value) <= Number.MAX_SAFE_INTEGER
  return typeof value !== "object" || value === null || Object.values(value).every(isSane)
}

describe.each(Object.entries(READERS))("every field of %s", (_, reader) => {
  const names = fieldsOf(reader)

  test("is known here", () => {
    expect(names).not.toBeEmpty()
  })

  test.each(Object.entries(ABSURD))("has a bound: %s is refused or has no effect", (what, value) => {
    const isText = typeof value === "string" || what.includes("texts of")
    const bounded = names.filter((name) => !isText || !reader.free.includes(name))
    const faults = bounded.flatMap((name) => {
      const fault = faultOf(reader.read, { ...reader.least, [name]: value })
      return fault === undefined ? [] : [`${name} ${fault}`]
    })
    expect(faults).toEqual([])
  })
})

describe("fields that are small each", () => {
  const refusal = (read: Reader["read"], body: JsonObject): unknown => {
    try {
      return read(body)
    } catch (error) {
      return error instanceof XllmError ? error.message : error
    }
  }
  const biases = (count: number) => Array.from({ length: count }, (_, id) => [id, 1])

  test("may not come to too many answers together", () => {
    expect(toCompletionCall({ prompt: Array(16).fill("x"), n: 128 }).requests).toHaveLength(16)
    expect(refusal(toCompletionCall, { prompt: Array(17).fill("x"), best_of: 128 })).toBe(
      "17 prompts with 128 choices each are 2176 answers; a request may have at most 2048",
    )
  })

  test("may not send too many biases along with many prompts", () => {
    const body = { prompt: Array(2048).fill("x"), logit_bias: biases(64) }
    expect(toCompletionCall(body).requests).toHaveLength(2048)
    expect(refusal(toCompletionCall, { ...body, logit_bias: biases(65) })).toBe(
      "logit_bias must have at most 64 entries with 2048 prompts, got 65",
    )
  })

  test("may not send a large grammar along with many prompts", () => {
    const grammar = (length: number) => `root ::= "${"a".repeat(length)}"`
    const prompt = Array(2048).fill("x")
    expect(toCompletionCall({ prompt, grammar: grammar(1900) }).requests).toHaveLength(2048)
    expect(toCompletionCall({ prompt: "x", grammar: grammar(250_000) }).requests).toHaveLength(1)
    const refused = "a schema or grammar must have at most 2048 characters with 2048 prompts"
    for (const read of [toCompletionCall, toNativeCall])
      expect(refusal(read, { prompt, grammar: grammar(2100) })).toBe(refused)
  })

  test("are looked at on llama-server's route too", () => {
    expect(refusal(toNativeCall, { prompt: Array(2048).fill("x"), logit_bias: biases(65) })).toBe(
      "logit_bias must have at most 64 entries with 2048 prompts, got 65",
    )
  })

  test("may not repeat a long prompt in many choices", () => {
    const body = { prompt: "x".repeat(2 ** 20), echo: true }
    expect(toCompletionCall({ ...body, n: 32 }).requests).toHaveLength(1)
    expect(refusal(toCompletionCall, { ...body, n: 33 })).toBe(
      "echo would repeat 34603008 characters in 33 choices; at most 33554432 are possible",
    )
  })
})

test.each([
  [{ model: "m".repeat(513) }, "model must have at most 512 characters, got 513"],
  [{ stop: ["a", "x".repeat(1025)] }, "stop[1] must have at most 1024 characters, got 1025"],
  [
    { dry_sequence_breakers: Array(65).fill("x") },
    "dry_sequence_breakers must have at most 64 entries, got 65",
  ],
  [
    { dry_sequence_breakers: ["x".repeat(41)] },
    "dry_sequence_breakers[0] must have at most 40 characters, got 41",
  ],
  [
    { logit_bias: Array.from({ length: 16_385 }, (_, id) => [id, 1]) },
    "logit_bias must have at most 16384 entries, got 16385",
  ],
  [
    { logit_bias: Array.from({ length: 1025 }, (_, id) => [`t${id}`, 1]) },
    "logit_bias must have at most 1024 texts, got 1025",
  ],
  [{ logit_bias: { ["x".repeat(65)]: 1 } }, "logit_bias must have at most 64 characters, got 65"],
  [
    { logit_bias: { ["7".repeat(20)]: 1 } },
    "logit_bias.77777777777777777777 must be a whole number between 0 and 2147483647, got 77777777777777770000",
  ],
  [{ keep_alive: 1e300 }, "keep_alive must be at most 3153600000 seconds (negative: forever), got 1e+300"],
  [
    { keep_alive: "99999999h" },
    'keep_alive must be at most 3153600000 seconds (negative: forever), got "99999999h"',
  ],
  [{ messages: Array(16_385).fill(USER_HI[0]) }, "messages must have at most 16384 entries, got 16385"],
  [
    { messages: Array(2).fill({ role: "user", content: Array(8193).fill({ type: "text", text: "x" }) }) },
    "messages must have at most 16384 parts of content in all, got 16386",
  ],
  [
    {
      messages: Array(2).fill({
        role: "assistant",
        tool_calls: Array(8193).fill({ id: "1", function: { name: "f" } }),
      }),
    },
    "messages must have at most 16384 parts of content in all, got 16386",
  ],
  [
    { chat_template_kwargs: { documents: Array(4096).fill(1) } },
    "chat_template_kwargs must have at most 4096 values, got 4097",
  ],
  [
    { chat_template_kwargs: { a: "x".repeat(2 ** 19), b: "x".repeat(2 ** 19) } },
    "chat_template_kwargs must have at most 1048576 characters in all, got 1048578",
  ],
])("what is too much is refused with the most that is possible", (fields, message) => {
  expect(() => toChatCall({ messages: USER_HI, ...fields })).toThrow(message)
})

test("the longest values that are possible are taken", () => {
  const fields = {
    model: "m".repeat(512),
    stop: Array(16).fill("x".repeat(1024)),
    dry_sequence_breakers: Array(64).fill("x".repeat(40)),
    logit_bias: Array.from({ length: 16_384 }, (_, id) => [id < 1024 ? "x".repeat(64) : id, 1]),
    keep_alive: 3_153_600_000,
    messages: Array(16_384).fill(USER_HI[0]),
  }
  const { request } = toChatCall(fields)
  expect(request.messages).toHaveLength(16_384)
  expect(request.sampling.logitBias).toHaveLength(16_384)
  expect(request).toMatchObject({ keepAliveSeconds: 3_153_600_000, stop: fields.stop })
})
