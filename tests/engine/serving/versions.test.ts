import { expect, test } from "bun:test"
import type { ManagedEngine } from "../../../src/engine"
import { Client, isAlive, Reader, speech, testEngine, type TestModel } from "../../support/test-engine"

const NEVER = new AbortController().signal

/** What the store has; a test changes it. */
function shelf(models: Record<string, TestModel> = { m: { id: "old" } }): Record<string, TestModel> {
  return { ...models }
}

async function use(engine: ManagedEngine): Promise<void> {
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
}

function versions(engine: ManagedEngine): string[] {
  return engine.loaded().map(({ id }) => id)
}

test("a model that has changed is loaded anew with its next request, and the old worker goes", async () => {
  const models = shelf()
  const { engine, pid, heard } = testEngine({ models })
  await use(engine)
  const old = pid()
  models["m"] = { id: "new" }
  await use(engine)
  expect(await heard("model unloaded")).toMatchObject({ model: "m", reason: "replaced" })
  expect(isAlive(old)).toBe(false)
  expect(versions(engine)).toEqual(["new"])
  await use(engine)
  expect(versions(engine)).toEqual(["new"])
})

test("what runs in the old worker is finished there; who comes later gets the new one", async () => {
  const models = shelf()
  const { engine, pid, heard } = testEngine({ models })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const old = pid()
  models["m"] = { id: "new" }
  await use(engine)
  expect(versions(engine)).toEqual(["new", "old"])
  expect(engine.loaded()).toMatchObject([{ activeRequests: 0 }, { activeRequests: 1 }])
  expect(engine.status()).toMatchObject({ queue: { running: 1 }, problems: [] })
  process.kill(old, "SIGUSR2")
  expect((await running.rest()).at(-1)?.type).toBe("done")
  await heard("model unloaded", { reason: "replaced" })
  expect(versions(engine)).toEqual(["new"])
})

test("who waits for a slot of the old worker gets one of the new", async () => {
  const models = shelf()
  const { engine, pid } = testEngine({ models, slots: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = new Client(engine, "say 1")
  await waiting.until("queued")
  const old = pid()
  models["m"] = { id: "new" }
  await use(engine)
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
  expect(isAlive(old)).toBe(true)
  running.abort()
  await running.failure()
})

test("a load of what is there no more is given up, and those that waited for it get the new one", async () => {
  const models = shelf({ m: { id: "old", does: "gated" } })
  const { engine, pid } = testEngine({ models })
  const waiting = new Client(engine, "say 1")
  while ((await waiting.until("loading"))?.fraction !== 0.5);
  const old = pid()
  models["m"] = { id: "new" }
  await use(engine)
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
  expect(versions(engine)).toContain("new")
  await engine.stop("m")
  expect(isAlive(old)).toBe(false)
})

test("where there is no room for both the new one waits until the old one has finished, pinned or not", async () => {
  const models = shelf({ m: { id: "old", ramMiB: 1000, settings: { pinned: true } } })
  const { engine, pid } = testEngine({ models, memory: { limitBytes: 1500 * 1024 ** 2, headroomBytes: 0 } })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const old = pid()
  models["m"] = { ...models["m"], id: "new" }
  const waiting = new Client(engine, "say 1")
  await waiting.until("queued")
  expect(versions(engine)).toEqual(["old"])
  process.kill(old, "SIGUSR2")
  expect((await running.rest()).at(-1)?.type).toBe("done")
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
  expect(versions(engine)).toEqual(["new"])
})

test("a version that comes back while its old worker still works gets a worker of its own", async () => {
  const models = shelf()
  const { engine, pid, heard } = testEngine({ models })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const first = pid()
  models["m"] = { id: "new" }
  await use(engine)
  models["m"] = { id: "old" }
  await use(engine)
  await heard("model unloaded", { reason: "replaced" })
  expect(versions(engine)).toEqual(["old", "old"])
  process.kill(first, "SIGKILL")
  expect(await running.failure()).toMatchObject({ code: "worker_crashed" })
  await use(engine)
  expect(engine.status().problems).toEqual([])
})

test("a crash of an old worker is no problem of the new one", async () => {
  const models = shelf()
  const { engine, pid, heard } = testEngine({ models })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const old = pid()
  models["m"] = { id: "new" }
  await use(engine)
  process.kill(old, "SIGKILL")
  expect(await running.failure()).toMatchObject({ code: "worker_crashed" })
  await heard("worker crashed")
  expect(engine.status()).toMatchObject({ status: "ok", problems: [] })
})

test("all replicas are replaced", async () => {
  const models = shelf({ m: { id: "old", settings: { replicas: 2 } } })
  const { engine, heard } = testEngine({ models })
  await use(engine)
  await heard("model loaded", { replica: 2 })
  models["m"] = { ...models["m"], id: "new" }
  await use(engine)
  await heard("model unloaded", { replica: 1, reason: "replaced" })
  await heard("model unloaded", { replica: 2, reason: "replaced" })
  expect(new Set(versions(engine))).toEqual(new Set(["new"]))
})

test("a model that has become one of another kind is asked for what it does now", async () => {
  const models = shelf()
  const { engine, pid } = testEngine({ models, slots: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = new Client(engine, "say 1")
  await waiting.until("queued")
  const old = pid()
  models["m"] = { id: "new", kind: "tts" }
  const spoken = new Reader((signal) => engine.speak(speech("say 1", "m"), signal))
  expect((await spoken.rest()).at(-1)?.type).toBe("done")
  expect(await waiting.failure()).toMatchObject({ code: "wrong_model_kind" })
  expect(await new Client(engine, "say 1").failure()).toMatchObject({ code: "wrong_model_kind" })
  process.kill(old, "SIGUSR2")
  expect((await running.rest()).at(-1)?.type).toBe("done")
})

test("a model that was removed is not found by the next request, and its worker goes once it has finished", async () => {
  const models = shelf({ m: { id: "old" }, other: {} })
  const { engine, pid, heard } = testEngine({ models })
  const running = new Client(engine, "hold")
  await running.until("delta")
  await new Client(engine, "say 1", 1, { model: "other" }).rest()
  const worker = pid("m")
  delete models["m"]
  expect(await new Client(engine, "say 1").failure()).toMatchObject({ code: "model_not_found", status: 404 })
  expect(isAlive(worker)).toBe(true)
  process.kill(worker, "SIGUSR2")
  expect((await running.rest()).at(-1)?.type).toBe("done")
  expect(await heard("model unloaded")).toMatchObject({ model: "m", reason: "replaced" })
  expect(engine.loaded()).toMatchObject([{ name: "other" }])
  models["m"] = { id: "old" }
  await use(engine)
})

test("a store that cannot be listed does not hide that a model was not found", async () => {
  const { engine } = testEngine({
    models: { m: {} },
    listing: () => {
      throw new Error("the disk is gone")
    },
  })
  await use(engine)
  const failure = await new Client(engine, "say 1", 1, { model: "nope" }).failure()
  expect(failure).toMatchObject({ code: "model_not_found" })
  expect(engine.loaded()).toHaveLength(1)
})

test("what a model brings along counts where nothing was set, and a change of it is a new version", async () => {
  const models = shelf({ m: { id: "a", defaults: { settings: { contextLength: 600 } } } })
  const { engine } = testEngine({ models })
  await use(engine)
  expect(engine.loaded()).toMatchObject([{ info: { contextLength: 600 } }])
  models["m"] = { id: "b", defaults: { settings: { contextLength: 700 } } }
  await use(engine)
  expect(engine.loaded()[0]).toMatchObject({ id: "b", info: { contextLength: 700 } })
})

test("an answer of the store that comes late does not bring an old version back", async () => {
  const models = shelf()
  const late = Promise.withResolvers<void>()
  let answering: Promise<void> | undefined = late.promise
  const { engine, logged } = testEngine({ models, answering: () => answering })
  const slow = engine.preload("m", NEVER)
  answering = undefined
  models["m"] = { id: "new" }
  await use(engine)
  late.resolve()
  await slow
  await use(engine)
  expect(versions(engine)).toEqual(["new"])
  expect(logged.filter(({ event }) => event === "model loading")).toHaveLength(1)
})
