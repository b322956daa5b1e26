import { expect, test } from "bun:test"
import { XllmError } from "../../src/errors/base"
import { DecodeFailed, ShuttingDown } from "../../src/errors/engine"
import { ModelNotFound } from "../../src/errors/model"
import { Cancelled, QueueFull } from "../../src/errors/request"
import { chatRequest, Client, completion, isAlive, testEngine } from "../support/test-engine"

const NEVER = new AbortController().signal

/** The error code of a failure, so that errors from the worker compare too. */
function code(error: unknown): string | undefined {
  return error instanceof XllmError ? error.code : undefined
}

/** Lets everything run that waits for nothing but its turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test("a request loads the model, tells so, and streams what the worker says", async () => {
  const { engine } = testEngine()
  const events = await new Client(engine, "say 3").rest()
  expect(events[0]).toEqual({ type: "loading", fraction: 0 })
  expect(events.flatMap((event) => (event.type === "delta" ? [event.text] : []))).toEqual([
    "t2 ",
    "t1 ",
    "t0 ",
  ])
  expect(events.at(-1)?.type).toBe("done")
})

test("a chat is a request like a completion", async () => {
  const { engine } = testEngine()
  const events = await Array.fromAsync(engine.chat(chatRequest("say 1"), NEVER))
  const types = events.map((event) => event.type).filter((type) => type !== "loading" && type !== "queued")
  expect(types).toEqual(["prompt", "part-start", "delta", "part-end", "finish", "done"])
})

test("waiting requests share one load and hear of its progress", async () => {
  const { engine, release, logged } = testEngine({ model: "gated" })
  const clients = Array.from({ length: 5 }, () => new Client(engine, "say 1"))
  for (const client of clients) {
    for (let loading = await client.until("loading"); loading?.fraction !== 0.5;)
      loading = await client.until("loading")
  }
  expect(engine.status()).toMatchObject({ status: "loading", models: [{ state: "loading", progress: 0.5 }] })
  expect(engine.loaded()[0]).toMatchObject({
    queuedRequests: 5,
    activeRequests: 0,
    info: undefined,
    sizeBytes: 0,
  })
  release()
  for (const client of clients) expect((await client.rest()).at(-1)?.type).toBe("done")
  expect(logged.filter((entry) => entry.event === "model loading")).toHaveLength(1)
  expect(engine.status().status).toBe("ok")
})

test("a request that is aborted while the model loads leaves at once, and the load goes on", async () => {
  const { engine, release } = testEngine({ model: "gated" })
  const leaver = new Client(engine, "say 1")
  const stayer = new Client(engine, "say 1")
  await leaver.until("loading")
  await stayer.until("loading")
  leaver.abort()
  expect(await leaver.failure()).toBeInstanceOf(Cancelled)
  expect(engine.loaded()[0]).toMatchObject({ state: "loading", queuedRequests: 1 })
  for (let loading = await stayer.until("loading"); loading?.fraction !== 0.5;)
    loading = await stayer.until("loading")
  release()
  expect((await stayer.rest()).at(-1)?.type).toBe("done")
})

test("a client that is gone before its model was found loads nothing", async () => {
  const { engine } = testEngine()
  const client = new Client(engine, "say 1")
  const failure = client.failure()
  client.abort()
  expect(await failure).toBeInstanceOf(Cancelled)
  await turn()
  expect(engine.loaded()).toEqual([])
})

test("a loaded model shows what the worker reported, and is used without another load", async () => {
  const { engine, logged } = testEngine()
  await engine.preload("m", NEVER)
  expect(await new Client(engine, "say 2").rest()).not.toContainEqual(
    expect.objectContaining({ type: "loading" }),
  )
  expect(engine.loaded()).toMatchObject([
    { name: "m", id: "abc", state: "ready", progress: 1, sizeBytes: 1234, counters: { tokensGenerated: 2 } },
  ])
  expect(logged.find((entry) => entry.event === "model loaded")).toMatchObject({
    model: "m",
    context: 1024,
    slots: 2,
    kvLayout: "unified",
    devices: ["CPU"],
  })
  expect(logged.filter((entry) => entry.event === "model loading")).toHaveLength(1)
})

test("an unknown model is not found, in every call", async () => {
  const { engine } = testEngine()
  const stream = engine.complete({ ...completion("say 1"), model: "x" }, NEVER)
  await expect(Array.fromAsync(stream)).rejects.toBeInstanceOf(ModelNotFound)
  await expect(engine.preload("x", NEVER)).rejects.toBeInstanceOf(ModelNotFound)
  await expect(engine.stop("x")).rejects.toBeInstanceOf(ModelNotFound)
  await expect(engine.show("x")).rejects.toBeInstanceOf(ModelNotFound)
  expect(engine.loaded()).toEqual([])
})

test("more requests than slots wait in order and are told how many are ahead", async () => {
  const { engine, release } = testEngine({ slots: 1 })
  const first = new Client(engine, "hold")
  await first.until("delta")
  const second = new Client(engine, "hold")
  expect((await second.until("queued"))?.position).toBe(0)
  const third = new Client(engine, "say 1")
  expect((await third.until("queued"))?.position).toBe(1)
  expect(engine.loaded()[0]).toMatchObject({ activeRequests: 1, queuedRequests: 2 })
  release()
  expect((await first.rest()).at(-1)?.type).toBe("done")
  await second.until("delta")
  expect((await third.until("queued"))?.position).toBe(0)
  release()
  const done = await third.until("done")
  expect(done?.timings.queueMs).toBeGreaterThan(0)
  expect(done?.timings.loadMs).toBe(0)
})

test("the time of the load is no queueing", async () => {
  const { engine } = testEngine()
  const done = await new Client(engine, "say 1").until("done")
  expect(done?.timings.loadMs).toBeGreaterThan(0)
  expect(done?.timings.queueMs).toBe(0)
})

test("a cancelled request's slot goes to the next one, whether it aborts or leaves", async () => {
  const { engine } = testEngine({ slots: 1 })
  const aborting = new Client(engine, "hold")
  const leaving = new Client(engine, "hold")
  await aborting.until("delta")
  await leaving.until("queued")
  aborting.abort()
  expect(await aborting.failure()).toBeInstanceOf(Cancelled)
  await leaving.until("delta")
  await leaving.leave()
  const last = await new Client(engine, "say 1").rest()
  expect(last.at(-1)?.type).toBe("done")
  expect(engine.loaded()[0]).toMatchObject({
    activeRequests: 0,
    queuedRequests: 0,
    counters: { preemptions: 0 },
  })
})

test("a waiting request that is aborted leaves at once and the others move up", async () => {
  const { engine } = testEngine({ slots: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const [leaver, stayer] = [new Client(engine, "say 1"), new Client(engine, "say 1")]
  await leaver.until("queued")
  expect((await stayer.until("queued"))?.position).toBe(1)
  leaver.abort()
  expect(await leaver.failure()).toBeInstanceOf(Cancelled)
  expect((await stayer.until("queued"))?.position).toBe(0)
  expect(engine.loaded()[0]).toMatchObject({ activeRequests: 1, queuedRequests: 1 })
})

test("a full queue refuses with the time to come back", async () => {
  const { engine } = testEngine({ slots: 1, queueLimit: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = new Client(engine, "say 1")
  await waiting.until("queued")
  const refused = await new Client(engine, "say 1").failure()
  expect(refused).toBeInstanceOf(QueueFull)
  expect(refused).toMatchObject({ status: 503, retryAfterSeconds: 5 })
  running.abort()
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
})

test("a request with more choices than slots runs, and its slots are free afterwards", async () => {
  const { engine } = testEngine({ slots: 2 })
  expect((await new Client(engine, "say 1", 5).rest()).at(-1)?.type).toBe("done")
  const after = [new Client(engine, "hold"), new Client(engine, "hold")]
  for (const client of after) await client.until("delta")
})

test("a request that fails in the worker takes only itself down", async () => {
  const { engine } = testEngine()
  const other = new Client(engine, "hold")
  await other.until("delta")
  const failing = new Client(engine, "fail")
  const failure = await failing.failure()
  expect(code(failure)).toBe(new DecodeFailed("").code)
  expect(failing.events.some((event) => event.type === "delta")).toBe(true)
  expect(engine.loaded()[0]?.activeRequests).toBe(1)
})

test("render returns what the worker rendered, loading the model where needed", async () => {
  const { engine } = testEngine()
  expect(await engine.render(completion("hold"), NEVER)).toMatchObject({ prompt: "<hold>", tokens: [1, 2] })
  await expect(engine.render(completion("fail"), NEVER)).rejects.toThrow("no template")
})

test("renderings are bounded like the queue", async () => {
  const { engine } = testEngine({ queueLimit: 1 })
  const abort = new AbortController()
  const first = engine.render(completion("hang"), abort.signal).catch(String)
  await turn()
  await expect(engine.render(completion("hold"), NEVER)).rejects.toBeInstanceOf(QueueFull)
  abort.abort()
  await first
  expect(await engine.render(completion("hold"), NEVER)).toMatchObject({ prompt: "<hold>" })
})

test("an aborted render ends at once", async () => {
  const { engine } = testEngine()
  await engine.preload("m", NEVER)
  const abort = new AbortController()
  const rendering = engine.render(completion("hang"), abort.signal)
  await turn()
  abort.abort()
  await expect(rendering).rejects.toBeInstanceOf(Cancelled)
})

test("stop ends the worker; its requests fail, and the next one starts another", async () => {
  const { engine, pid } = testEngine({ slots: 1 })
  const [running, waiting] = [new Client(engine, "hold"), new Client(engine, "hold")]
  await running.until("delta")
  await waiting.until("queued")
  const first = pid()
  expect(await engine.stop("m")).toBe(true)
  expect(isAlive(first)).toBe(false)
  expect(await running.failure()).toBeInstanceOf(ShuttingDown)
  expect(await waiting.failure()).toBeInstanceOf(ShuttingDown)
  expect(engine.loaded()).toEqual([])
  expect(await engine.stop("m")).toBe(false)
  await new Client(engine, "hold").until("delta")
  expect(pid()).not.toBe(first)
})

test("a request that comes while the worker stops gets the next worker", async () => {
  const { engine, pid } = testEngine()
  await engine.preload("m", NEVER)
  const first = pid()
  const stopping = engine.stop("m")
  expect(engine.loaded()[0]?.state).toBe("stopping")
  const events = await new Client(engine, "say 1").rest()
  expect(events.at(-1)?.type).toBe("done")
  expect(await stopping).toBe(true)
  expect(pid()).not.toBe(first)
})

test("stop gives up a preload that waits for the devices, and says that there was one", async () => {
  const { engine } = testEngine({ probe: "hang", models: { m: { settings: { gpuLayers: null } } } })
  const preload = engine.preload("m", NEVER).catch((error: unknown) => error)
  await turn()
  expect(engine.loaded()).toEqual([])
  expect(await engine.stop("m")).toBe(true)
  expect(await preload).toMatchObject({ code: "stopping" })
  expect(await engine.stop("m")).toBe(false)
})

test("stop during a load ends it at once", async () => {
  const { engine, pid } = testEngine({ model: "gated" })
  const client = new Client(engine, "say 1")
  for (let told = await client.until("loading"); told?.fraction !== 0.5;) told = await client.until("loading")
  const loading = pid()
  const preloading = engine.preload("m", NEVER).catch(String)
  await turn()
  expect(await engine.stop("m")).toBe(true)
  expect(isAlive(loading)).toBe(false)
  expect(await client.failure()).toBeInstanceOf(ShuttingDown)
  expect(await preloading).toContain("is stopping")
})

test("a worker that neither obeys stop nor SIGTERM is killed", async () => {
  const { engine, pid } = testEngine({ model: "deaf", limits: { stopGraceMs: 20, termGraceMs: 20 } })
  await engine.preload("m", NEVER)
  const deaf = pid()
  expect(await engine.stop("m")).toBe(true)
  expect(isAlive(deaf)).toBe(false)
})

test("close fails what is open, leaves no process behind and refuses what comes after", async () => {
  const { engine, pid } = testEngine()
  const running = new Client(engine, "hold")
  await running.until("delta")
  const worker = pid()
  const closing = engine.close()
  expect(engine.status().status).toBe("stopping")
  await closing
  expect(isAlive(worker)).toBe(false)
  expect(await running.failure()).toBeInstanceOf(ShuttingDown)
  expect(await new Client(engine, "say 1").failure()).toBeInstanceOf(ShuttingDown)
  await expect(engine.preload("m", NEVER)).rejects.toBeInstanceOf(ShuttingDown)
  await expect(engine.system()).rejects.toBeInstanceOf(ShuttingDown)
})

test("neither prompts nor answers are logged", async () => {
  const { engine, logged } = testEngine()
  await new Client(engine, "say 2").rest()
  await new Client(engine, "fail").failure()
  await engine.close()
  expect(logged.length).toBeGreaterThan(3)
  expect(JSON.stringify(logged)).not.toMatch(/say 2|t1 |fail/)
})
