import { expect, test } from "bun:test"
import type { EngineObserver } from "../../src/engine/observer"
import { Client, Reader, speech, testEngine } from "../support/test-engine"

/** Writes down what it hears. */
function recorder(): { readonly heard: (readonly unknown[])[]; readonly observer: EngineObserver } {
  const heard: (readonly unknown[])[] = []
  const note =
    (name: string) =>
    (...values: readonly unknown[]) =>
      void heard.push([name, ...values])
  const observer: EngineObserver = {
    requestQueued: note("queued"),
    requestStarted: note("started"),
    firstToken: note("first"),
    firstAudio: note("first audio"),
    nextTokens: note("next"),
    toolCall: note("tool call"),
    requestFinished: note("finished"),
    requestRefused: note("refused"),
    modelLoading: note("loading"),
    modelLoaded: note("loaded"),
    modelLoadFailed: note("load failed"),
    modelUnloaded: note("unloaded"),
    workerCrashed: note("crashed"),
    step: note("step"),
    cacheGrown: note("cache grown"),
    tokensDrafted: note("tokens drafted"),
    adaptersUsed: note("adapters used"),
    mediaEncoded: note("media encoded"),
    promptsOnDisk: note("prompts on disk"),
  }
  return { heard, observer }
}

const A_TIME = expect.any(Number)
const WORKER = { model: "m", replica: 1 }

test("those who count hear of a request and its model from the beginning to the end", async () => {
  const { heard, observer } = recorder()
  const { engine } = testEngine({ observer })
  await new Client(engine, "say 3").rest()
  await engine.stop("m")
  const request = { model: "m", kind: "completion" }
  const usage = { promptTokens: 1, completionTokens: 1, cachedTokens: 0 }
  expect(heard).toEqual([
    ["queued", request],
    ["loading", WORKER],
    ["loaded", WORKER, A_TIME],
    ["started", request, 0, A_TIME],
    ["first", request, A_TIME],
    ["next", request, 1, A_TIME],
    ["next", request, 1, A_TIME],
    ["finished", request, expect.objectContaining({ type: "done", usage })],
    ["unloaded", WORKER, "stopped"],
  ])
})

test("those who count hear of a speech: when it began, and what came of it", async () => {
  const { heard, observer } = recorder()
  const { engine } = testEngine({ observer, models: { m: { kind: "tts" } } })
  await new Reader((signal) => engine.speak(speech("say 3", "m"), signal)).rest()
  const request = { model: "m", kind: "speech" }
  expect(heard.slice(-3)).toEqual([
    ["started", request, 0, A_TIME],
    ["first audio", request, A_TIME],
    ["finished", request, expect.objectContaining({ usage: expect.objectContaining({ audioSeconds: 0.5 }) })],
  ])
})

test("a request that ends otherwise is finished once, with how", async () => {
  const { heard, observer } = recorder()
  const { engine } = testEngine({ observer, slots: 1, queueLimit: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = new Client(engine, "say 1", 1, { queueTimeoutMs: 20 })
  await waiting.until("queued")
  await new Client(engine, "say 1").failure()
  await waiting.failure()
  running.abort()
  await running.failure()
  await new Client(engine, "fail").failure()
  await new Client(engine, "crash").failure()
  const ends = heard.filter(([name]) => name === "finished" || name === "refused" || name === "crashed")
  expect(ends.map(([name, , outcome]) => [name, outcome])).toEqual([
    ["refused", undefined],
    ["finished", { type: "unserved", code: "queue_timeout" }],
    ["finished", { type: "cancelled" }],
    ["finished", { type: "failed", code: "decode_failed" }],
    ["crashed", undefined],
    ["finished", { type: "failed", code: "worker_crashed" }],
  ])
})

test("a load that fails is heard of, and so is what was evicted", async () => {
  const { heard, observer } = recorder()
  const models = { m: {}, n: {}, bad: { does: "refused" } } as const
  const { engine } = testEngine({ observer, models, memory: { maxModels: 1, headroomBytes: 0 } })
  await new Client(engine, "say 1").rest()
  await new Client(engine, "say 1", 1, { model: "n" }).rest()
  await new Client(engine, "say 1", 1, { model: "bad" }).failure()
  expect(heard.filter(([name]) => name === "unloaded" || name === "load failed")).toEqual([
    ["unloaded", WORKER, "memory"],
    ["unloaded", { model: "n", replica: 1 }, "memory"],
    ["load failed", { model: "bad", replica: 1 }, "model_load_failed"],
  ])
})

test("of forty clients on sixteen slots all are served, in the order in which they came", async () => {
  const { heard, observer } = recorder()
  const { engine } = testEngine({ observer, slots: 16 })
  const clients = Array.from({ length: 40 }, (_none, index) => new Client(engine, `say ${1 + (index % 7)}`))
  for (const events of await Promise.all(clients.map((client) => client.rest())))
    expect(events.at(-1)?.type).toBe("done")
  // The same object stands for a request in every call about it.
  const order = (name: string) => heard.filter(([what]) => what === name).map(([, request]) => request)
  const [queued, started] = [order("queued"), order("started")]
  expect(queued).toHaveLength(40)
  expect(started.map((request) => queued.indexOf(request))).toEqual([...queued.keys()])
  expect(engine.loaded()[0]?.counters.preemptions).toBe(0)
})
