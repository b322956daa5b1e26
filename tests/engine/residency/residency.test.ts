import { expect, test } from "bun:test"
import { join } from "node:path"
import type { ManagedEngine } from "../../../src/engine"
import { XllmError } from "../../../src/errors/base"
import { tempFolder } from "../../support/temp-folder"
import { Client, isAlive, Reader, SETTINGS, speech, testEngine } from "../../support/test-engine"

const NEVER = new AbortController().signal
const MIB = 1024 ** 2

/** Three models of 1,000 MiB, and room for two. */
const THREE = { a: { ramMiB: 1000 }, b: { ramMiB: 1000 }, c: { ramMiB: 1000 } }
const ROOM_FOR_TWO = { limitBytes: 2500 * MIB, headroomBytes: 0 }

function names(engine: ManagedEngine): string[] {
  return engine.loaded().map(({ name }) => name)
}

async function use(engine: ManagedEngine, model: string): Promise<void> {
  expect((await new Client(engine, "say 1", 1, { model }).rest()).at(-1)?.type).toBe("done")
}

test("of three models where two fit the idle one that was used longest ago goes", async () => {
  const { engine, pid, heard } = testEngine({ models: THREE, memory: ROOM_FOR_TWO })
  for (const model of ["a", "b", "a"]) await use(engine, model)
  const evicted = pid("b")
  await use(engine, "c")
  expect(names(engine)).toEqual(["a", "c"])
  expect(await heard("model unloaded")).toMatchObject({ model: "b", reason: "memory" })
  expect(isAlive(evicted)).toBe(false)
})

test("what a worker takes while it works is shown, and counts for the next load", async () => {
  const { engine } = testEngine({ models: THREE, memory: ROOM_FOR_TWO })
  const growing = new Client(engine, "grow 2000", 1, { model: "a" })
  expect((await growing.rest()).at(-1)?.type).toBe("done")
  expect(engine.loaded()[0]?.footprint).toEqual({ ramBytes: 2000 * MIB, devices: [] })
  await use(engine, "b")
  expect(names(engine)).toEqual(["b"])
})

test("busy models stay: the request learns its position, and gets the room of the first that is done", async () => {
  const { engine, release } = testEngine({ models: THREE, memory: ROOM_FOR_TWO })
  const busy = ["a", "b"].map((model) => new Client(engine, "hold", 1, { model }))
  for (const client of busy) await client.until("delta")
  const waiting = [1, 2].map(() => new Client(engine, "say 1", 1, { model: "c" }))
  expect((await waiting[0]?.until("queued"))?.position).toBe(0)
  expect((await waiting[1]?.until("queued"))?.position).toBe(1)
  expect(names(engine)).toEqual(["a", "b"])
  expect(engine.status().queue).toMatchObject({ running: 2, waiting: 2 })
  release("a")
  for (const client of waiting) expect((await client.rest()).at(-1)?.type).toBe("done")
  expect(names(engine)).toEqual(["b", "c"])
})

test("a model that another waits for starts nothing new, and has its turn again afterwards", async () => {
  const { engine, release } = testEngine({ models: THREE, memory: { maxModels: 1, headroomBytes: 0 } })
  const running = new Client(engine, "hold", 1, { model: "a" })
  await running.until("delta")
  const newcomer = new Client(engine, "hold", 1, { model: "b" })
  await newcomer.until("queued")
  const late = new Client(engine, "say 1", 1, { model: "a" })
  await late.until("queued")
  release("a")
  await newcomer.until("delta")
  expect(names(engine)).toEqual(["b"])
  expect(late.events.some((event) => event.type === "delta")).toBe(false)
  release("b")
  expect((await late.rest()).at(-1)?.type).toBe("done")
})

test("a request that gives up waiting for room changes nothing", async () => {
  const { engine } = testEngine({ models: THREE, memory: { maxModels: 1, headroomBytes: 0 } })
  const running = new Client(engine, "hold", 1, { model: "a" })
  await running.until("delta")
  const newcomer = new Client(engine, "say 1", 1, { model: "b" })
  await newcomer.until("queued")
  newcomer.abort()
  await use(engine, "a")
  expect(names(engine)).toEqual(["a"])
})

test("priority beats recency, and pinned models stay", async () => {
  const models = {
    a: { ramMiB: 1000, settings: { pinned: true } },
    b: { ramMiB: 1000, settings: { priority: "high" } },
    c: { ramMiB: 1000 },
    d: { ramMiB: 1000 },
  } as const
  const { engine } = testEngine({ models, memory: { limitBytes: 3500 * MIB, headroomBytes: 0 } })
  for (const model of ["a", "b", "c", "d"]) await use(engine, model)
  expect(names(engine)).toEqual(["a", "b", "d"])
})

test("a model that can never fit fails with both sizes, and the others stay", async () => {
  const models = { ...THREE, huge: { ramMiB: 3000 } }
  const { engine } = testEngine({ models, memory: ROOM_FOR_TWO })
  await use(engine, "a")
  const failure = await new Client(engine, "say 1", 1, { model: "huge" }).failure()
  expect(failure).toMatchObject({ code: "not_enough_memory", status: 507 })
  expect(String(failure)).toContain("needs 2.9 GiB of system memory, but at most 2.4 GiB is available")
  expect(names(engine)).toEqual(["a"])
})

test("a model that nobody uses is unloaded when its time is over", async () => {
  const { engine, heard, pid } = testEngine({ models: { m: { settings: { keepAliveSeconds: 0.05 } } } })
  await use(engine, "m")
  const worker = pid()
  expect(engine.loaded()[0]?.expiresAt).toBeInstanceOf(Date)
  expect(await heard("model unloaded")).toMatchObject({ model: "m", reason: "idle" })
  expect(engine.loaded()).toEqual([])
  expect(isAlive(worker)).toBe(false)
  await use(engine, "m")
})

test("a request decides how long its model stays: 0 ends it at once, null keeps it", async () => {
  const { engine, heard } = testEngine()
  await new Client(engine, "say 1", 1, { keepAliveSeconds: null }).rest()
  expect(engine.loaded()[0]?.expiresAt).toBeNull()
  const [first, last] = [new Client(engine, "hold"), new Client(engine, "say 1", 1, { keepAliveSeconds: 0 })]
  await first.until("delta")
  await last.rest()
  expect(engine.loaded()).toMatchObject([{ activeRequests: 1 }])
  first.abort()
  await first.failure()
  expect(await heard("model unloaded")).toMatchObject({ reason: "idle" })
})

test("a model can be kept for requests that do not say how long, until it is unloaded", async () => {
  const { engine, heard } = testEngine({ models: { m: { settings: { keepAliveSeconds: 300 } } } })
  await engine.keep("m", null)
  await use(engine, "m")
  expect(engine.loaded()[0]?.expiresAt).toBeInstanceOf(Date)
  await engine.keep("m", null)
  expect(engine.loaded()[0]?.expiresAt).toBeNull()
  await use(engine, "m")
  expect(engine.loaded()[0]?.expiresAt).toBeNull()
  const client = new Client(engine, "hold")
  await client.until("delta")
  await engine.keep("m", 0)
  expect(engine.loaded()).toMatchObject([{ state: "ready", activeRequests: 1 }])
  client.abort()
  await client.failure()
  expect(await heard("model unloaded")).toMatchObject({ reason: "idle" })
  await use(engine, "m")
  expect(engine.loaded()[0]?.expiresAt).toBeInstanceOf(Date)
})

test("requests that wait keep a model whose keep-alive is 0", async () => {
  const { engine, logged } = testEngine({ slots: 1 })
  const clients = Array.from({ length: 5 }, () => new Client(engine, "say 2", 1, { keepAliveSeconds: 0 }))
  for (const outcome of await Promise.all(clients.map((client) => client.rest())))
    expect(outcome.at(-1)?.type).toBe("done")
  expect(logged.filter(({ event }) => event === "model loading")).toHaveLength(1)
})

test("a context that was chosen automatically shrinks until it fits, and that is said", async () => {
  const { engine } = testEngine({ model: "room:700" })
  await use(engine, "m")
  expect(engine.loaded()[0]).toMatchObject({
    info: { contextLength: 512 },
    notes: [
      "the context was reduced to 1024 tokens, because memory ran out",
      "the context was reduced to 512 tokens, because memory ran out",
    ],
  })
})

test("a context that the user set does not shrink", async () => {
  const models = { m: { does: "room:700", settings: { contextLength: 2048 } } } as const
  const { engine } = testEngine({ models })
  expect(await new Client(engine, "say 1").failure()).toMatchObject({ code: "model_load_failed" })
  expect(engine.loaded()).toEqual([])
})

test("a stop between two attempts ends them", async () => {
  const { engine, heard, logged } = testEngine({ model: "room:1" })
  const client = new Client(engine, "say 1")
  const failure = client.failure()
  await heard("loaded with reduced context or GPU layers")
  await engine.stop("m")
  expect(await failure).toMatchObject({ code: "stopping" })
  expect(logged.filter(({ event }) => event === "model loading").length).toBeLessThanOrEqual(2)
})

test("plans are made for simulated GPUs, one model each, and computed on the CPU", async () => {
  const gpu = {
    description: "",
    kind: "gpu",
    backend: "none",
    freeBytes: 2000 * MIB,
    totalBytes: 2000 * MIB,
  } as const
  const settings = { gpuLayers: null }
  const models = {
    a: { ramMiB: 1096, settings },
    b: { ramMiB: 1096, settings },
    c: { ramMiB: 3096, settings },
  }
  const { engine } = testEngine({
    models,
    memory: { headroomBytes: 0 },
    simulatedDevices: [
      { ...gpu, name: "G0" },
      { ...gpu, name: "G1" },
    ],
  })
  await use(engine, "a")
  await use(engine, "b")
  expect(engine.loaded()).toMatchObject([
    { name: "a", info: { gpuLayers: 0 }, plan: { devices: [{ name: "G0", layers: 4 }] } },
    { name: "b", info: { gpuLayers: 0 }, plan: { devices: [{ name: "G1", layers: 4 }] } },
  ])
  expect(engine.status().memory.gpus).toMatchObject([
    { name: "G0", totalBytes: 2000 * MIB, freeBytes: 1000 * MIB, usedByModels: 1000 * MIB },
    { name: "G1", freeBytes: 1000 * MIB },
  ])
  await use(engine, "c")
  expect(engine.loaded()).toMatchObject([
    {
      name: "c",
      plan: {
        devices: [
          { name: "G0", layers: 2 },
          { name: "G1", layers: 2 },
        ],
      },
    },
  ])
})

test("a change of the positions' scale needs a new load of text models, and of no others", async () => {
  const { engine } = testEngine({ models: { a: {}, joe: { kind: "tts" } } })
  await use(engine, "a")
  await new Reader((signal) => engine.speak(speech("say 1", "joe"), signal)).rest()
  const of = (settings: object) => () => ({ ...SETTINGS, ...settings })
  expect(engine.reconfigure({ settingsOf: of({}) })).toEqual([])
  for (const change of [
    { ropeScaling: "yarn" },
    { ropeFreqBase: 1e6 },
    { ropeFreqScale: 0.5 },
    { yarnOriginalContext: 4096 },
    { kvTypeK: "q8_0" },
  ])
    expect(engine.reconfigure({ settingsOf: of(change) })).toEqual(["a"])
  expect(engine.reconfigure({ settingsOf: of({ decodeThreads: 1 }) })).toEqual(["a", "joe"])
})

test("what the configuration says anew counts at once, but a loaded model stays as it is", async () => {
  const { engine, heard } = testEngine({ models: THREE })
  await use(engine, "a")
  await use(engine, "b")
  const of = (settings: object) => () => ({ ...SETTINGS, ...settings })
  expect(engine.reconfigure({ settingsOf: of({ contextLength: 512 }) })).toEqual(["a", "b"])
  expect(engine.loaded()[0]?.info).toMatchObject({ contextLength: 1024 })
  await engine.stop("a")
  await use(engine, "a")
  expect(engine.loaded()[0]?.info).toMatchObject({ contextLength: 512 })
  expect(engine.reconfigure({ settingsOf: of({ contextLength: 512, keepAliveSeconds: 0 }) })).toEqual(["b"])
  await Promise.all([
    heard("model unloaded", { model: "b" }),
    heard("model unloaded", { model: "a", reason: "idle" }),
  ])
  expect(engine.reconfigure({ queueLimit: 3 })).toEqual([])
  expect(engine.status().queue.limit).toBe(3)
})

test("models that are to be loaded at the start are, and one that cannot be degrades the server", async () => {
  const models = {
    a: { does: "gated", settings: { preload: true } },
    b: {},
    bad: { does: "refused", settings: { preload: true } },
  } as const
  const { engine, release, heard } = testEngine({ models })
  const starting = engine.start(NEVER)
  expect(engine.status().status).toBe("starting")
  await heard("model load failed", { model: "bad" })
  await until(() => engine.loaded()[0]?.progress === 0.5)
  release("a")
  await starting
  expect(names(engine)).toEqual(["a"])
  expect(engine.status()).toMatchObject({ status: "degraded" })
  expect(engine.status().problems).toEqual([expect.stringContaining("model 'bad' could not be loaded")])
})

test("a preloaded model that somebody stops is no failure: the start goes on, and a request loads it", async () => {
  const models = { m: { does: "gated", settings: { preload: true } } } as const
  const { engine, release } = testEngine({ models })
  const starting = engine.start(NEVER)
  await until(() => engine.loaded()[0]?.progress === 0.5)
  expect(await engine.stop("m")).toBe(true)
  await starting
  expect(engine.status()).toMatchObject({ status: "ok", problems: [], failed: [] })
  const answer = new Client(engine, "say 1").rest()
  await until(() => engine.loaded()[0]?.progress === 0.5)
  release()
  expect((await answer).at(-1)?.type).toBe("done")
})

test("a worker that dies while its model is preloaded leaves the model failed, with its reason, until the next request", async () => {
  using folder = tempFolder()
  const models = { m: { does: `once:${join(folder.path, "loaded")}`, settings: { preload: true } } } as const
  const { engine } = testEngine({ models })
  await engine.start(NEVER)
  const { status, problems, failed } = engine.status()
  expect(status).toBe("degraded")
  expect(failed).toMatchObject([{ name: "m", kind: "text", id: "abc", error: { code: "model_load_failed" } }])
  expect(problems).toEqual(["model 'm' could not be loaded: its worker was terminated by SIGABRT"])
  await use(engine, "m")
  expect(engine.status()).toMatchObject({ status: "ok", problems: [], failed: [] })
})

test("a preloaded model that has no room is failed, and the start goes on", async () => {
  const models = { m: { ramMiB: 3000, settings: { preload: true } } }
  const { engine } = testEngine({ models, memory: ROOM_FOR_TWO })
  await engine.start(NEVER)
  expect(engine.status()).toMatchObject({
    status: "degraded",
    failed: [{ name: "m", error: { code: "not_enough_memory" } }],
  })
})

test("a store that cannot be listed does not keep the server from starting", async () => {
  const { engine, heard } = testEngine({
    listing: () => {
      throw new Error("no such device")
    },
  })
  await engine.start(NEVER)
  expect(await heard("preloading models failed")).toMatchObject({ level: "error" })
  expect(engine.status().status).toBe("ok")
})

test("a crash degrades the server until the model is loaded again", async () => {
  const { engine } = testEngine()
  await new Client(engine, "crash").failure()
  expect(engine.status()).toMatchObject({
    status: "degraded",
    problems: [expect.stringContaining("exit code 7")],
  })
  await use(engine, "m")
  expect(engine.status()).toMatchObject({ status: "ok", problems: [] })
})

test("drain lets what has started finish, and turns away what waits and what comes", async () => {
  const { engine, release } = testEngine({ slots: 1 })
  const [running, waiting] = [new Client(engine, "hold"), new Client(engine, "say 1")]
  await running.until("delta")
  await waiting.until("queued")
  const drained = engine.drain(60_000)
  expect(await waiting.failure()).toMatchObject({ code: "stopping", status: 503 })
  expect(await new Client(engine, "say 1").failure()).toMatchObject({ code: "stopping", status: 503 })
  expect(engine.status().status).toBe("stopping")
  release()
  expect((await running.rest()).at(-1)?.type).toBe("done")
  await drained
  expect(engine.loaded()).toEqual([])
})

test("drain ends what does not finish in time", async () => {
  const { engine } = testEngine()
  const running = new Client(engine, "hold")
  await running.until("delta")
  await engine.drain(50)
  expect(await running.failure()).toMatchObject({ code: "stopping" })
  expect(engine.loaded()).toEqual([])
})

test("a drain with nothing to finish is over at once, also while a model loads", async () => {
  const { engine } = testEngine({ model: "gated" })
  const loading = new Client(engine, "say 1")
  const failure = loading.failure()
  await until(() => engine.loaded()[0]?.progress === 0.5)
  await engine.drain(60_000)
  expect(await failure).toMatchObject({ code: "stopping" })
  expect(engine.loaded()).toEqual([])
})

test("a request waits no longer than it may, and is told when to come back", async () => {
  const { engine } = testEngine({ slots: 1, queueTimeoutMs: 60_000 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = new Client(engine, "say 1", 1, { queueTimeoutMs: 30 })
  const failure = await waiting.failure()
  expect(failure).toBeInstanceOf(XllmError)
  expect(failure).toMatchObject({ code: "queue_timeout", status: 503, retryAfterSeconds: 5 })
  expect(engine.status().queue).toMatchObject({ running: 1, waiting: 0 })
})

test("the limit of the server counts for requests that name none, and for those that wait for a load", async () => {
  const { engine } = testEngine({ model: "gated", queueTimeoutMs: 30 })
  expect(await new Client(engine, "say 1").failure()).toMatchObject({ code: "queue_timeout" })
})

test("the time that a request runs is not limited", async () => {
  const { engine } = testEngine({ queueTimeoutMs: 500 })
  await engine.preload("m", NEVER)
  expect((await new Client(engine, "drip 8").rest()).at(-1)?.type).toBe("done")
})

/** Looks again and again, as fast as events come. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}
