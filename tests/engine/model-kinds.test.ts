import { expect, test } from "bun:test"
import { join } from "node:path"
import type { WorkEvent } from "../../src/domain/tasks"
import type { ManagedEngine } from "../../src/engine"
import { XllmError } from "../../src/errors/base"
import type { FakePrompt } from "../support/fakes/fake-worker"
import { tempFolder } from "../support/temp-folder"
import {
  Client,
  completion,
  drawing,
  isAlive,
  Reader,
  speech,
  testEngine,
  type TestModel,
  transcription,
} from "../support/test-engine"

const MIB = 1024 ** 2
const NEVER = new AbortController().signal

const ALL = {
  writer: {},
  joe: { kind: "tts" },
  ear: { kind: "asr" },
  brush: { kind: "image" },
} as const satisfies Record<string, TestModel>

const KINDS = ["writer", "joe", "ear", "brush"] as const

/** Asks a model of {@link ALL} for what it does. */
function ask(engine: ManagedEngine, model: keyof typeof ALL, prompt: FakePrompt): Reader<WorkEvent> {
  return new Reader<WorkEvent>((signal) => {
    switch (model) {
      case "writer":
        return engine.complete({ ...completion(prompt), model }, signal)
      case "joe":
        return engine.speak(speech(prompt, model), signal)
      case "ear":
        return engine.transcribe(transcription(prompt, model), signal)
      case "brush":
        return engine.generateImage(drawing(prompt, model), signal)
      default:
        return model satisfies never
    }
  })
}

/** What each kind tells in one step of its work. */
const PIECES = { writer: "delta", joe: "audio", ear: "segment", brush: "step" } as const

test.each(KINDS)("%s loads, works and says what it did", async (model) => {
  const { engine, pid } = testEngine({ models: ALL })
  const events = await ask(engine, model, "say 3").rest()
  expect(events[0]).toEqual({ type: "loading", fraction: 0 })
  expect(events.filter(({ type }) => type === PIECES[model])).toHaveLength(3)
  const last = events.at(-1)
  if (last?.type !== "done") throw new Error("it did not end well")
  expect(last.timings.loadMs).toBeGreaterThan(0)
  const first = pid()
  await ask(engine, model, "say 1").rest()
  expect(pid()).toBe(first)
})

test("all kinds work side by side, each in a worker of its own", async () => {
  const { engine, release } = testEngine({ models: ALL })
  const readers = KINDS.map((model) => ask(engine, model, "hold"))
  for (const [index, model] of KINDS.entries()) await readers[index]?.until(PIECES[model])
  expect(engine.loaded()).toMatchObject([
    { name: "writer", kind: "text", info: { kind: "text", contextLength: 1024 }, activeRequests: 1 },
    { name: "joe", kind: "tts", info: { kind: "tts", family: "fake", slots: 1 }, activeRequests: 1 },
    { name: "ear", kind: "asr", info: { kind: "asr" }, activeRequests: 1 },
    { name: "brush", kind: "image", info: { kind: "image" }, activeRequests: 1 },
  ])
  expect(new Set(engine.loaded().map(({ pid }) => pid)).size).toBe(4)
  for (const model of KINDS) release(model)
  for (const reader of readers) expect((await reader.rest()).at(-1)?.type).toBe("done")
})

test("a model of another kind than is asked for is refused with the route that it is for", async () => {
  const { engine } = testEngine({ models: ALL })
  const failures = await Promise.all([
    new Client(engine, "say 1", 1, { model: "joe" }).failure(),
    new Client(engine, "say 1", 1, { model: "ear" }).failure(),
    new Client(engine, "say 1", 1, { model: "brush" }).failure(),
    new Reader((signal) => engine.speak(speech("say 1", "writer"), signal)).failure(),
    new Reader((signal) => engine.generateImage(drawing("say 1", "joe"), signal)).failure(),
    new Reader((signal) => engine.transcribe(transcription("say 1", "brush"), signal)).failure(),
    engine.render({ ...completion("say 1"), model: "joe" }, NEVER).catch((error: unknown) => error),
  ])
  for (const failure of failures) expect(failure).toMatchObject({ code: "wrong_model_kind", status: 400 })
  const voice = "'joe' is a text-to-speech model; use POST /v1/audio/speech"
  expect(failures.map((failure) => (failure as XllmError).message)).toEqual([
    voice,
    "'ear' is a speech-to-text model; use POST /v1/audio/transcriptions",
    "'brush' is an image model; use POST /v1/images/generations",
    "'writer' is a text model; use POST /v1/chat/completions or POST /v1/completions",
    voice,
    "'brush' is an image model; use POST /v1/images/generations",
    voice,
  ])
  expect(engine.loaded()).toEqual([])
})

test.each(["joe", "ear", "brush"] as const)(
  "%s does one thing after another, and turns away who finds the queue full",
  async (model) => {
    const { engine, release } = testEngine({ models: ALL, queueLimit: 2 })
    const running = ask(engine, model, "hold")
    await running.until(PIECES[model])
    const waiting = [1, 2].map(() => ask(engine, model, "say 1"))
    for (const [index, reader] of waiting.entries()) {
      expect(await reader.until("queued")).toMatchObject({ position: index })
    }
    expect(await ask(engine, model, "say 1").failure()).toMatchObject({ code: "queue_full", status: 503 })
    expect(engine.status().queue).toMatchObject({ running: 1, waiting: 2 })
    release(model)
    for (const reader of [running, ...waiting]) expect((await reader.rest()).at(-1)?.type).toBe("done")
  },
)

test.each(KINDS)("a client of %s that leaves makes room for the next", async (model) => {
  const { engine, pid } = testEngine({ models: ALL, slots: 1 })
  const [leaver, waiter] = [ask(engine, model, "hold"), ask(engine, model, "say 1")]
  await leaver.until(PIECES[model])
  await waiter.until("queued")
  const worker = pid()
  await leaver.leave()
  expect((await waiter.rest()).at(-1)?.type).toBe("done")
  expect(pid()).toBe(worker)
})

test.each(KINDS)("%s that is killed fails what ran, and what waited gets another worker", async (model) => {
  const { engine, pid, heard } = testEngine({ models: ALL, slots: 1 })
  const [running, waiting] = [ask(engine, model, "hold"), ask(engine, model, "say 1")]
  await running.until(PIECES[model])
  await waiting.until("queued")
  const killed = pid()
  process.kill(killed, "SIGKILL")
  expect(await running.failure()).toMatchObject({ code: "worker_crashed" })
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
  expect(await heard("worker crashed")).toMatchObject({
    model,
    how: expect.stringContaining("was killed (SIGKILL)"),
  })
  expect(pid()).not.toBe(killed)
})

test("a painter that hangs is ended; others do not notice", async () => {
  const { engine, pid } = testEngine({ models: ALL, limits: { stepMs: 200 } })
  const speaking = ask(engine, "joe", "hold")
  await speaking.until("audio")
  const hanging = ask(engine, "brush", "hang")
  await hanging.until("step")
  const hung = pid("brush")
  expect(await hanging.failure()).toMatchObject({ code: "worker_unresponsive" })
  expect(engine.loaded().find(({ name }) => name === "joe")).toMatchObject({ activeRequests: 1 })
  expect((await ask(engine, "brush", "say 1").rest()).at(-1)?.type).toBe("done")
  expect(isAlive(hung)).toBe(false)
  speaking.abort()
  await speaking.failure()
})

test("a failed request leaves the worker to others", async () => {
  const { engine } = testEngine({ models: ALL })
  for (const model of KINDS) {
    expect(await ask(engine, model, "fail").failure()).toMatchObject({ code: "decode_failed" })
    expect((await ask(engine, model, "say 1").rest()).at(-1)?.type).toBe("done")
  }
})

test("models of all kinds make room for each other: the one that was used longest ago goes", async () => {
  const models = {
    writer: { ramMiB: 1000 },
    joe: { kind: "tts", ramMiB: 800 },
    ear: { kind: "asr", ramMiB: 800 },
    brush: { kind: "image", ramMiB: 1000 },
  } as const
  const { engine, heard } = testEngine({ models, memory: { maxModels: 2, headroomBytes: 0 } })
  for (const model of ["writer", "joe", "writer", "brush", "ear"] as const) {
    expect((await ask(engine, model, "say 1").rest()).at(-1)?.type).toBe("done")
  }
  expect(engine.loaded().map(({ name }) => name)).toEqual(["brush", "ear"])
  expect(await heard("model unloaded", { model: "joe" })).toMatchObject({ reason: "memory" })
  expect(await heard("model unloaded", { model: "writer" })).toMatchObject({ reason: "memory" })
})

test("a painter counts what it takes while it draws, which it has not taken after its load", async () => {
  const models = { brush: { kind: "image", ramMiB: 500 } } as const
  const { engine } = testEngine({ models })
  await ask(engine, "brush", "say 1").rest()
  const [loaded] = engine.loaded()
  expect(loaded?.info?.footprint.ramBytes).toBe(500 * MIB)
  expect(loaded?.footprint?.ramBytes).toBe((500 + 1664) * MIB)
  expect(engine.status().memory.system.usedByModels).toBe((500 + 1664) * MIB)
})

test("a painter that crashes while it is loaded on a GPU is loaded on the CPU, and draws there", async () => {
  using folder = tempFolder()
  const does = `once:${join(folder.path, "crashed")}` as const
  const models = { brush: { kind: "image", does, ramMiB: 500, settings: { gpuLayers: null } } } as const
  const { engine } = testEngine({ models, probe: "gpus" })
  await ask(engine, "brush", "say 1").rest()
  expect(engine.loaded()).toMatchObject([
    {
      plan: { devices: [{ name: "CPU", layers: 1 }] },
      notes: ["0 instead of 1 layers are on GPUs, because the load with them crashed"],
      footprint: { ramBytes: (500 + 1664) * MIB, devices: [] },
    },
  ])
})

test("what is no text is loaded without slots, context and cache; speech stays on the CPU", async () => {
  const gpu = { name: "G0", description: "", kind: "gpu", backend: "Vulkan" } as const
  const settings = { gpuLayers: null, contextLength: 8192, slots: 8 }
  const { engine } = testEngine({
    models: {
      joe: { kind: "tts", settings },
      ear: { kind: "asr", settings },
      brush: { kind: "image", settings },
    },
    simulatedDevices: [{ ...gpu, freeBytes: 8192 * MIB, totalBytes: 8192 * MIB }],
  })
  for (const model of ["joe", "ear", "brush"] as const) await ask(engine, model, "say 1").rest()
  expect(engine.loaded()).toMatchObject([
    { name: "joe", info: { slots: 1 }, plan: { devices: [{ name: "CPU", layers: 1 }] } },
    { name: "ear", info: { slots: 1 }, plan: { devices: [{ name: "CPU", layers: 1 }] } },
    { name: "brush", info: { slots: 1 }, plan: { devices: [{ name: "G0", layers: 1 }] } },
  ])
  expect(engine.loaded()[2]?.plan?.explanation).toBe("the whole model on G0 (7.5 GiB free), the only GPU")
})

test("replicas of a voice speak at the same time", async () => {
  const models = { joe: { kind: "tts", settings: { replicas: 2 } } } as const
  const { engine, heard } = testEngine({ models })
  const speaking = [1, 2].map(() => ask(engine, "joe", "hold"))
  for (const reader of speaking) await reader.until("audio")
  await heard("model loaded", { replica: 2 })
  expect(engine.loaded()).toMatchObject([
    { name: "joe", replica: 1, activeRequests: 1 },
    { name: "joe", replica: 2, activeRequests: 1 },
  ])
  const third = ask(engine, "joe", "say 1")
  await third.until("queued")
  await speaking[0]?.leave()
  expect((await third.rest()).at(-1)?.type).toBe("done")
  await speaking[1]?.leave()
})

test("a drain lets a picture be finished", async () => {
  const { engine, release } = testEngine({ models: ALL })
  const [drawn, waiting] = [ask(engine, "brush", "hold"), ask(engine, "brush", "say 1")]
  await drawn.until("step")
  await waiting.until("queued")
  const drained = engine.drain(60_000)
  expect(await waiting.failure()).toMatchObject({ code: "stopping" })
  release("brush")
  expect((await drawn.rest()).at(-1)?.type).toBe("done")
  await drained
  expect(engine.loaded()).toEqual([])
})

test("many clients of all kinds, some of whom leave: everybody gets an end, and nothing is left behind", async () => {
  const { engine, logged } = testEngine({
    models: { ...ALL, joe: { kind: "tts", settings: { replicas: 2 } } },
    memory: { maxModels: 3, headroomBytes: 0 },
  })
  const readers = Array.from({ length: 120 }, (_, index) => {
    const model = KINDS[index % KINDS.length] ?? "writer"
    return { model, leaves: index % 5 === 0, reader: ask(engine, model, `say ${(index % 4) + 1}`) }
  })
  const ends = await Promise.all(
    readers.map(async ({ leaves, reader }) => {
      if (!leaves) return (await reader.rest()).at(-1)?.type
      await reader.until("loading")
      reader.abort()
      return (await reader.failure()) instanceof XllmError ? "left" : "stayed"
    }),
  )
  expect(ends.filter((end) => end === "done")).toHaveLength(96)
  expect(ends.filter((end) => end === "left")).toHaveLength(24)
  expect(logged.filter(({ event }) => event === "worker crashed")).toEqual([])
  expect(engine.status().queue).toMatchObject({ running: 0, waiting: 0, models: [] })
  expect(engine.status().problems).toEqual([])
})

test("a text model that generates no text is refused before anything is loaded", async () => {
  const words = "'reader' generates no text by itself, and xLLM has no other use for it"
  const { engine, logged } = testEngine({ models: { reader: { capabilities: [] } } })
  const failures = [
    await new Client(engine, "say 1", 1, { model: "reader" }).failure(),
    await engine.render({ ...completion("say 1"), model: "reader" }, NEVER).catch((error: unknown) => error),
    await engine.preload("reader", NEVER).catch((error: unknown) => error),
  ]
  for (const failure of failures) {
    expect(failure).toMatchObject({ code: "wrong_model_kind", status: 400, param: "model", message: words })
  }
  expect(logged.filter(({ event }) => event === "model loading")).toEqual([])
  expect(engine.status()).toMatchObject({ status: "ok", failed: [] })
})

test("requests that name no model get the only one of their kind", async () => {
  const { engine } = testEngine({ models: ALL })
  const nameless = {
    writer: engine.complete(without(completion("say 1")), NEVER),
    joe: engine.speak(without(speech("say 1", "x")), NEVER),
    ear: engine.transcribe(without(transcription("say 1", "x")), NEVER),
    brush: engine.generateImage(without(drawing("say 1", "x")), NEVER),
  }
  for (const [model, events] of Object.entries(nameless)) {
    expect(events.model).toBeUndefined()
    for await (const _ of events) expect(events.model).toBe(model)
    expect(events.model).toBe(model)
  }
  expect((await engine.resolve(undefined, "speech")).name).toBe("joe")
})

/** The request, of whatever model there is. */
function without<R extends { readonly model?: string }>({ model: _, ...request }: R): Omit<R, "model"> {
  return request
}

test("an embedding model does not write, and can be loaded ahead of use", async () => {
  const { engine } = testEngine({ models: { reader: { kind: "embedding" } } })
  expect(await new Client(engine, "say 1", 1, { model: "reader" }).failure()).toMatchObject({
    code: "wrong_model_kind",
    message: "'reader' is an embedding model; use POST /v1/embeddings or POST /v1/rerank",
  })
  await engine.preload("reader", NEVER)
  expect(engine.loaded()[0]).toMatchObject({ kind: "embedding", state: "ready", info: { kind: "embedding" } })
})
