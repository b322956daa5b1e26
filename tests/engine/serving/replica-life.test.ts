import { expect, test } from "bun:test"
import type { LoadedModel } from "../../../src/domain/loaded-model"
import type { ManagedEngine } from "../../../src/engine"
import { WorkerCrashed } from "../../../src/errors/engine"
import type { FakePrompt } from "../../support/fakes/fake-worker"
import { chatRequest, Client, isAlive, testEngine } from "../../support/test-engine"

const NEVER = new AbortController().signal

/** `m` with two workers of one slot each. */
function twoReplicas(slots = 1) {
  return testEngine({ models: { m: { settings: { replicas: 2, slots } } } })
}

async function bothReady(engine: ManagedEngine): Promise<readonly LoadedModel[]> {
  await engine.preload("m", NEVER)
  while (engine.loaded().filter(({ state }) => state === "ready").length < 2)
    await new Promise((resolve) => setTimeout(resolve, 1))
  return engine.loaded()
}

test("replicas are workers of their own that share one queue", async () => {
  const { engine } = twoReplicas()
  const loaded = await bothReady(engine)
  expect(loaded).toMatchObject([
    { name: "m", replica: 1 },
    { name: "m", replica: 2 },
  ])
  expect(loaded[0]?.pid).not.toBe(loaded[1]?.pid)
  const running = [new Client(engine, "hold"), new Client(engine, "hold")]
  for (const client of running) await client.until("delta")
  const waiting = new Client(engine, "say 1")
  await waiting.until("queued")
  expect(engine.loaded()).toMatchObject([
    { activeRequests: 1, queuedRequests: 1 },
    { activeRequests: 1, queuedRequests: 0 },
  ])
  running[1]?.abort()
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
})

test("a killed replica costs what ran in it; the other goes on and serves what waits", async () => {
  const { engine } = twoReplicas()
  const loaded = await bothReady(engine)
  const running = [new Client(engine, "hold"), new Client(engine, "hold")]
  for (const client of running) await client.until("delta")
  process.kill(loaded[0]?.pid ?? 0, "SIGKILL")
  expect(await running[0]?.failure()).toBeInstanceOf(WorkerCrashed)
  expect(engine.loaded()).toMatchObject([{ replica: 2, activeRequests: 1 }])
  expect(engine.status().status).toBe("degraded")
  running[1]?.abort()
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
  const again = await bothReady(engine)
  expect(again[0]?.pid).not.toBe(loaded[0]?.pid)
  expect(again[1]?.pid).toBe(loaded[1]?.pid)
  expect(engine.status().status).toBe("ok")
})

test("stop ends all of them", async () => {
  const { engine } = twoReplicas()
  const pids = (await bothReady(engine)).map(({ pid }) => pid ?? 0)
  expect(await engine.stop("m")).toBe(true)
  expect(pids.map(isAlive)).toEqual([false, false])
  expect(engine.loaded()).toEqual([])
})

test("a request goes where its beginning is known, a new one to the least busy", async () => {
  const { engine } = twoReplicas(4)
  await bothReady(engine)
  const generated = () => engine.loaded().map(({ counters }) => counters.tokensGenerated)
  const ask = (what: FakePrompt, story: string) => {
    const request = chatRequest(what)
    const messages = [...request.messages, { role: "user" as const, content: story.repeat(100) }]
    return Array.fromAsync(engine.chat({ ...request, messages }, NEVER))
  }
  const held = new Client(engine, "hold")
  await held.until("delta")
  await ask("say 3", "wolf ")
  expect(generated()).toEqual([1, 3])
  held.abort()
  await held.failure()
  await ask("say 3", "wolf ")
  await ask("say 5", "goat ")
  expect(generated()).toEqual([6, 6])
})

test("a replica that has no room is done without", async () => {
  const { engine } = testEngine({
    models: { m: { ramMiB: 1000, settings: { replicas: 2 } } },
    memory: { limitBytes: 1500 * 1024 ** 2, headroomBytes: 0 },
  })
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
  expect(engine.loaded()).toMatchObject([{ replica: 1 }])
  expect(engine.status().problems).toEqual(["model 'm' has 1 of 2 replicas"])
})

test("killing workers again and again under load loses no stream without an end, no slot and no process", async () => {
  const { engine } = testEngine({
    models: { a: { settings: { slots: 4 } }, b: { settings: { replicas: 2, slots: 2 } } },
  })
  const stop = new AbortController()
  const outcomes: string[] = []
  const killed: number[] = []
  const load = ["a", "b", "a", "b", "a", "b"].map(async (model) => {
    while (!stop.signal.aborted) {
      const failure = await new Client(engine, "say 20", 1, { model }).failure()
      outcomes.push(
        failure === undefined ? "done" : failure instanceof WorkerCrashed ? "crashed" : String(failure),
      )
    }
  })
  while (killed.length < 10) {
    const ready = engine
      .loaded()
      .filter(({ state, activeRequests }) => state === "ready" && activeRequests > 0)
    const pid = ready[killed.length % Math.max(1, ready.length)]?.pid
    if (pid !== undefined && !killed.includes(pid)) {
      process.kill(pid, "SIGKILL")
      killed.push(pid)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  stop.abort()
  await Promise.all(load)
  expect(new Set(outcomes)).toEqual(new Set(["done", "crashed"]))
  expect(engine.status().queue).toMatchObject({ running: 0, waiting: 0 })
  const pids = [...killed, ...engine.loaded().map(({ pid }) => pid ?? 0)]
  await engine.close()
  expect(pids.filter(isAlive)).toEqual([])
})
