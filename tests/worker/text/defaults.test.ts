import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { rmSync, statSync } from "node:fs"
import { join } from "node:path"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import type { ModelDefaults } from "../../../src/domain/model"
import { applyDefaults, withFallback } from "../../../src/worker/text/defaults"
import { adapterPart, writeTinyAdapter } from "../../support/files/tiny-adapter"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker } from "../../support/real/real-worker"
import { greedy, greedyChat } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const model = writeTinyModel(join(folder.path, "model.gguf")).path

afterAll(() => folder[Symbol.dispose]())

function start(defaults: ModelDefaults): Promise<RealWorker> {
  return RealWorker.start(model, { defaults })
}

test("a fixed seed is for the requests that have none", async () => {
  const drawn = (seed?: number) =>
    greedy("one two", { maxTokens: 20, sampling: { temperature: 2, ...(seed !== undefined && { seed }) } })
  await using worker = await RealWorker.start(model, { settings: { seed: 7 } })
  const first = (await worker.run(drawn())).text()
  expect((await worker.run(drawn())).text()).toBe(first)
  expect((await worker.run(drawn(7))).text()).toBe(first)
  expect((await worker.run(drawn(8))).text()).not.toBe(first)
})

describe("messages", () => {
  const examples = [
    { role: "user", content: "2+2?" },
    { role: "assistant", content: "4" },
  ] as const
  const defaults: ModelDefaults = { system: "Be brief.", messages: examples }
  const user = { role: "user", content: "hi" } as const

  test("the model's system message comes first, its examples behind it", () => {
    expect(applyDefaults(greedyChat([user]), defaults).messages).toEqual([
      { role: "system", content: "Be brief." },
      ...examples,
      user,
    ])
  })

  test.each(["system", "developer"] as const)("a %s message of the request takes its place", (role) => {
    const own = { role, content: "Be verbose." }
    expect(applyDefaults(greedyChat([own, user]), defaults).messages).toEqual([own, ...examples, user])
  })

  test("a model without them changes nothing", () => {
    expect(applyDefaults(greedyChat([user]), {}).messages).toEqual([user])
  })
})

describe("what a request leaves open", () => {
  const defaults: ModelDefaults = { stop: ["END"], maxTokens: 7 }

  test("is taken from the model", () => {
    expect(applyDefaults(greedy("x"), defaults)).toMatchObject({ stop: ["END"], maxTokens: 7 })
  })

  test("and nothing else", () => {
    const request = greedy("x", { stop: ["HALT"], maxTokens: 3 })
    expect(applyDefaults(request, defaults)).toMatchObject({ stop: ["HALT"], maxTokens: 3 })
  })
})

test("what a dialect usually has counts where neither says it", () => {
  const request = greedy("x", { defaultMaxTokens: 16 })
  expect(applyDefaults(request, {})).toMatchObject({ maxTokens: 16 })
  expect(applyDefaults(request, { maxTokens: 7 })).toMatchObject({ maxTokens: 7 })
  const endless = greedy("x", { defaultMaxTokens: 16, maxTokens: Number.POSITIVE_INFINITY })
  expect(applyDefaults(endless, { maxTokens: 7 })).toMatchObject({ maxTokens: Number.POSITIVE_INFINITY })
})

describe("a worker", () => {
  let worker: RealWorker

  beforeAll(async () => {
    worker = await start({
      template: "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[answer]",
      system: "Be brief.",
      messages: [
        { role: "user", content: "2+2?" },
        { role: "assistant", content: "4" },
      ],
      sampling: { temperature: 0.25, topK: 7, seed: 11, repeatLastN: 5 },
      stop: ["never said"],
      maxTokens: 6,
    })
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test("lays chats out with the template, the system message and the examples", async () => {
    const { prompt } = await worker.render(greedyChat("hi"))
    expect(prompt).toBe("[system] Be brief.\n[user] 2+2?\n[assistant] 4\n[user] hi\n[answer]")
  })

  test("leaves completions as they are", async () => {
    expect((await worker.render(greedy("plain"))).prompt).toBe("plain")
  })

  test("tells the parameters that count", async () => {
    const { parameters } = await worker.render({ ...greedyChat("hi"), sampling: {} })
    expect(parameters).toMatchObject({
      temperature: 0.25,
      topK: 7,
      seed: 11,
      repeatLastN: 5,
      topP: 0.95,
      stop: ["never said"],
      maxTokens: 6,
    })
  })

  test("lets requests have it otherwise", async () => {
    const request = { ...greedyChat("hi"), sampling: { temperature: 1, seed: 3 }, stop: ["x"], maxTokens: 2 }
    const { parameters } = await worker.render(request)
    expect(parameters).toMatchObject({ temperature: 1, topK: 7, seed: 3, stop: ["x"], maxTokens: 2 })
  })

  test("stops where the model says, and gives the same answer for the model's seed", async () => {
    const request = { ...greedyChat("hi"), sampling: {} }
    const [first, second] = [await worker.run(request), await worker.run(request)]
    expect(first.done.usage.completionTokens).toBe(6)
    expect(first.reason).toBe("length")
    expect(second.text()).toBe(first.text())
  })
})

describe("attached parts", () => {
  const adapter = writeTinyAdapter(join(folder.path, "adapter.gguf"))
  const other = writeTinyAdapter(join(folder.path, "other.gguf"), { seed: 2 })

  const startWith = (parts: readonly AttachedPart[]) => RealWorker.start(model, { parts })

  /** Log probabilities of the same greedy request. */
  async function logprobs(parts: readonly AttachedPart[] = []): Promise<number[]> {
    await using worker = await startWith(parts)
    const run = await worker.run(greedy("The cat sat on", { maxTokens: 8, topLogprobs: 0 }))
    return run.logprobs().map(({ logprob }) => logprob)
  }

  test("change what the model computes, by their scale", async () => {
    const [none, whole, half, both] = [
      await logprobs(),
      await logprobs([adapterPart(adapter)]),
      await logprobs([adapterPart(adapter, 0.5)]),
      await logprobs([adapterPart(adapter), adapterPart(other)]),
    ]
    expect(new Set([none, whole, half, both].map(String)).size).toBe(4)
  })

  test("change nothing with the scale 0", async () => {
    expect(await logprobs([adapterPart(adapter, 0)])).toEqual(await logprobs())
  })

  test("count as memory", async () => {
    await using bare = await start({})
    await using adapted = await startWith([adapterPart(adapter)])
    expect(adapted.info.modelBytes - bare.info.modelBytes).toBe(statSync(adapter).size)
  })

  test("that are for another model fail the load, and are named", async () => {
    const foreign = writeTinyAdapter(join(folder.path, "foreign.gguf"), { dim: 32 })
    await expect(startWith([adapterPart(foreign)])).rejects.toThrow(
      "its adapter 'foreign.gguf' changes 'blk.0.attn_q.weight' of 32 × 32, and that of 'm' has 64 × 64",
    )
  })

  test("whose file is missing or was changed fail the load, by role and name", async () => {
    const path = writeTinyAdapter(join(folder.path, "style.gguf"))
    const part = adapterPart(path)
    await Bun.write(path, "short")
    await expect(startWith([part])).rejects.toThrow(
      `its adapter 'style.gguf' was changed: ${path} has 5 bytes, not ${part.sizeBytes}`,
    )
    rmSync(path)
    await expect(startWith([part])).rejects.toThrow(
      `its adapter 'style.gguf' cannot be read: ${path}: no such file or folder`,
    )
  })

  test("without effect are not looked at", async () => {
    const gone = { path: "/nonexistent/part.gguf", name: "part.gguf", sizeBytes: 1 }
    await using worker = await startWith([{ ...gone, role: "adapter", scale: 0 }])
    expect(worker.info.kind).toBe("text")
  })
})
const fallback = { explanation: "using Gemma's format", stop: ["<end_of_turn>"] }

test("a chat in a built-in format also ends before markers that are only text to the model", () => {
  const chat = { ...greedyChat("hi"), stop: ["User:"] }
  expect(withFallback(chat, fallback).stop).toEqual(["User:", "<end_of_turn>"])
  expect(withFallback(chat, undefined)).toBe(chat)
})

test("a completion has no format", () => {
  expect(withFallback(greedy("hi"), fallback).stop).toEqual([])
})
