import { describe, expect, test } from "bun:test"
import type {
  GenerationEvent,
  GenerationRequest,
  SamplingParameters,
  TokenLogprob,
} from "../../src/domain/chat"
import type { ImageRequest } from "../../src/domain/media/image"
import type { SpeechEvent } from "../../src/domain/media/speech"
import { SAMPLING_DEFAULTS } from "../../src/formats/sampling-defaults"
import {
  decodeDefaults,
  decodeRendered,
  decodeRequest,
  encodeDefaults,
  encodeEvents,
  encodeRendered,
  encodeRequest,
  EventReader,
  type WorkerEvent,
} from "../../src/protocol/wire"
import { greedy, greedyChat } from "../support/requests"

/** What is left of a value after it crossed to another process or thread. */
function crossed<T>(value: T): T {
  return structuredClone(value)
}

/** Objects that structured clone has to look at one by one. */
function objectsIn(value: unknown): number {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return 0
  return 1 + Object.values(value).reduce((sum: number, inner) => sum + objectsIn(inner), 0)
}

function expectSame(request: GenerationRequest): void {
  expect(decodeRequest(crossed(encodeRequest(request)))).toEqual(request)
}

describe("a request", () => {
  test("arrives as it was sent", () => {
    expectSame(greedyChat([{ role: "system", content: "ä\ud800\0" }], { n: 3, maxTokens: 7, topLogprobs: 0 }))
    const toolCalls = [{ id: "c1", name: "add", arguments: '{"a": "\\ud800' }]
    expectSame(
      greedyChat([
        { role: "user", content: [{ type: "text", text: "a\nb" }] },
        { role: "assistant", content: "", toolCalls },
        { role: "tool", content: [], toolCallId: "c1" },
      ]),
    )
    expectSame(
      greedyChat("hi", {
        templateArguments: { deep: { list: [1, null, "x", { __proto__: 1 }], flag: false } },
        sampling: { ...SAMPLING_DEFAULTS, temperature: 0.1, drySequenceBreakers: ["\n", "🌲"] },
      }),
    )
    expectSame(greedy("text", { suffix: "", echo: true, stop: ["a", "b"], keepAliveSeconds: null }))
    const image: ImageRequest = { kind: "image", prompt: "x", n: 1, format: "png", preview: false, seed: 5 }
    expect(decodeRequest(crossed(encodeRequest(image)))).toEqual(image)
  })

  test("may have token ids, and numbers that JSON has not", () => {
    expectSame(greedy([0, 5, 2 ** 31 - 1]))
    expectSame(greedy([]))
    expectSame(greedy("endless", { maxTokens: Number.POSITIVE_INFINITY }))
  })

  test("keeps its biases: those of ids first, as their order says nothing", () => {
    const logitBias: SamplingParameters["logitBias"] = [
      ["text", -Infinity],
      [5, 1.5],
      [7, -Infinity],
      ["", 0.1],
      [5, 2],
    ]
    const request = greedy("x", { sampling: { logitBias } })
    expect(decodeRequest(crossed(encodeRequest(request))).sampling.logitBias).toEqual([
      [5, 1.5],
      [7, -Infinity],
      [5, 2],
      ["text", -Infinity],
      ["", 0.1],
    ])
  })

  test("crosses as a few texts and rows of numbers, however large it is", () => {
    const messages = Array.from({ length: 1000 }, () => ({ role: "user", content: "hi" }) as const)
    const logitBias = Array.from({ length: 1000 }, (_, id) => [id % 2 === 0 ? id : `t${id}`, 1] as const)
    const kwargs = Object.fromEntries(Array.from({ length: 1000 }, (_, key) => [`k${key}`, { key }]))
    const chat = greedyChat(messages, { sampling: { logitBias }, templateArguments: kwargs })
    expect(objectsIn(encodeRequest(chat))).toBeLessThanOrEqual(2)
    const stop = Array.from({ length: 1000 }, (_, number) => `stop ${number}`)
    const ids = Array.from({ length: 1000 }, (_, id) => id)
    expect(objectsIn(encodeRequest(greedy(ids, { stop })))).toBe(1)
  })
})

test("what comes along with a model arrives as it was sent, as one text", () => {
  const messages = Array.from({ length: 3 }, () => ({ role: "user", content: "hi" }) as const)
  const defaults = { system: "Be brief.", messages, maxTokens: Number.POSITIVE_INFINITY, stop: ["x"] }
  for (const each of [defaults, { maxTokens: 3 }, {}])
    expect(decodeDefaults(encodeDefaults(each))).toEqual(each)
  expect(encodeDefaults(defaults)).toBeString()
})

test("a rendered prompt arrives as it was sent, and crosses as texts and rows of numbers", () => {
  const rendered = {
    prompt: "a b",
    tokens: Array.from({ length: 1000 }, (_, id) => id),
    parameters: {
      ...SAMPLING_DEFAULTS,
      logitBias: Array.from({ length: 1000 }, (_, id) => [id, -Infinity] as const),
      maxTokens: 4,
      stop: ["x"],
    },
  }
  const wire = encodeRendered(rendered)
  expect(objectsIn(wire)).toBe(2)
  expect(decodeRendered(crossed(wire))).toEqual(rendered)
})

describe("what is told of a step", () => {
  const impossible: TokenLogprob = {
    id: 3,
    bytes: [240, 159],
    logprob: -Infinity,
    top: [
      { id: 1, bytes: [97], logprob: -0.1234567890123 },
      { id: 2, bytes: [], logprob: -Infinity },
    ],
  }
  const text = (id: number, logprobs?: readonly TokenLogprob[]): WorkerEvent<GenerationEvent> => ({
    id,
    event: { type: "delta", choice: 0, part: "text", text: "a", tokens: 1, ...(logprobs && { logprobs }) },
  })

  test("arrives as it was told", () => {
    const error = { id: 2, error: { code: "x", status: 500, message: "y" } }
    const reader = new EventReader<GenerationEvent>()
    for (const events of [[text(1), error], [text(1, [impossible]), error, text(4)], []])
      expect(reader.read(crossed(encodeEvents(structuredClone(events))))).toEqual(events as never)
  })

  test("crosses as one text where it has log probabilities", () => {
    expect(encodeEvents([text(1, [impossible]), text(2)])).toBeString()
    expect(encodeEvents([text(1)])).toBeArray()
  })

  test("crosses as it is where it has bytes", () => {
    const audio = { id: 1, event: { type: "audio", bytes: Uint8Array.of(1, 2), samples: 5 } } as const
    expect(new EventReader<SpeechEvent>().read(crossed(encodeEvents<SpeechEvent>([audio])))).toEqual([audio])
  })

  test("has the log probabilities of a prompt in its event, though they come piece by piece", () => {
    const reader = new EventReader<GenerationEvent>()
    const first = { id: 9, bytes: [1] }
    const read = (...events: WorkerEvent<GenerationEvent>[]) => reader.read(crossed(encodeEvents(events)))
    expect(read({ id: 1, promptLogprobs: [first] }, text(2))).toEqual([text(2)] as never)
    expect(read({ id: 1, promptLogprobs: [impossible] }, { id: 2, promptLogprobs: [first] })).toEqual([])
    const prompt = { type: "prompt", tokens: 2 } as const
    expect(read({ id: 1, event: prompt }, { id: 3, event: prompt })).toEqual([
      { id: 1, event: { ...prompt, logprobs: [first, impossible] } },
      { id: 3, event: prompt },
    ])
    reader.forget(2)
    expect(read({ id: 2, event: prompt })).toEqual([{ id: 2, event: prompt }])
  })
})
