import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { XllmError } from "../../../src/errors/base"
import { NativeLibraryError, WorkerCrashed, WorkerUnresponsive } from "../../../src/errors/engine"
import { ModelLoadFailed } from "../../../src/errors/model"
import { Client, completion, isAlive, testEngine } from "../../support/test-engine"

const NEVER = new AbortController().signal
let folder = ""

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "xllm-worker-"))
})
afterAll(() => rm(folder, { recursive: true }))

function message(error: unknown): string {
  return error instanceof Error ? error.message : ""
}

test("a worker that dies in mid-stream fails its streams with its last words, and the next request gets another", async () => {
  const { engine, logged } = testEngine()
  const bystander = new Client(engine, "hold")
  await bystander.until("delta")
  const crashing = new Client(engine, "crash")
  const failures = [await crashing.failure(), await bystander.failure()]
  for (const failure of failures) {
    expect(failure).toBeInstanceOf(WorkerCrashed)
    expect(message(failure)).toContain("ended with exit code 7")
    expect(message(failure)).toContain("CUDA error: out of memory | fatal: no more")
  }
  expect(crashing.events.some((event) => event.type === "delta")).toBe(true)
  expect(logged.find((entry) => entry.event === "worker crashed")).toMatchObject({
    level: "error",
    model: "m",
  })
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
})

test("a killed worker costs only the requests that ran; those that waited get the next worker", async () => {
  const { engine, pid } = testEngine({ slots: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = [new Client(engine, "say 1"), new Client(engine, "say 1")]
  for (const client of waiting) await client.until("queued")
  const first = pid()
  const rests = waiting.map((client) => client.rest())
  process.kill(first, "SIGKILL")
  const failure = await running.failure()
  expect(failure).toBeInstanceOf(WorkerCrashed)
  // Not for want of memory, or the system does not tell.
  expect(message(failure)).toMatch(
    /was killed \(SIGKILL\)( by another process; the kernel reports no lack of memory|, probably because)/,
  )
  for (const rest of rests) {
    const types = (await rest).map((event) => event.type)
    expect(types).toContain("loading")
    expect(types.at(-1)).toBe("done")
  }
  expect(pid()).not.toBe(first)
})

test("a crash fails a prompt that is being rendered", async () => {
  const { engine, pid } = testEngine()
  await engine.preload("m", NEVER)
  const rendering = engine.render(completion("hang"), NEVER)
  process.kill(pid(), "SIGKILL")
  await expect(rendering).rejects.toBeInstanceOf(WorkerCrashed)
})

test("a crash during the load fails all that wait for it, with the worker's last words", async () => {
  const { engine, logged } = testEngine({ model: "crashing" })
  const clients = [new Client(engine, "say 1"), new Client(engine, "say 1")]
  const failures = await Promise.all([
    ...clients.map((client) => client.failure()),
    engine.preload("m", NEVER).catch(String),
  ])
  for (const failure of failures.slice(0, 2)) {
    expect(failure).toBeInstanceOf(ModelLoadFailed)
    expect(message(failure)).toContain("SIGABRT")
    expect(message(failure)).toContain("GGML_ASSERT(rows > 0) failed")
    expect(message(failure)).not.toContain("libggml.so")
  }
  expect(failures[2]).toContain("GGML_ASSERT")
  expect(logged.filter((entry) => entry.event === "model loading")).toHaveLength(1)
  expect(engine.loaded()).toEqual([])
})

test("after a crash in the load the next request tries again", async () => {
  const { engine } = testEngine({ model: `once:${join(folder, "loaded")}` })
  expect(await new Client(engine, "say 1").failure()).toBeInstanceOf(ModelLoadFailed)
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
})

test("a load that the worker gives up fails with the worker's own error", async () => {
  const { engine } = testEngine({ model: "refused" })
  const failure = await new Client(engine, "say 1").failure()
  expect(failure).toBeInstanceOf(XllmError)
  expect(failure).toMatchObject({ code: "model_load_failed", status: 500 })
  expect(message(failure)).toContain("not a GGUF")
})

test("a program that is no worker fails the load with what it printed", async () => {
  const { engine } = testEngine({
    command: ["/bin/sh", "-c", "printf '\\001garbage\\377\\nnot me' >&2; exit 4"],
  })
  const failure = await new Client(engine, "say 1").failure()
  expect(failure).toBeInstanceOf(ModelLoadFailed)
  expect(message(failure)).toContain("exit code 4")
  expect(message(failure)).toContain("not me")
})

test("a program that does not exist is a broken runtime", async () => {
  const { engine } = testEngine({ command: [join(folder, "none")] })
  expect(await new Client(engine, "say 1").failure()).toBeInstanceOf(NativeLibraryError)
  await expect(engine.preload("m", NEVER)).rejects.toBeInstanceOf(NativeLibraryError)
  expect(engine.loaded()).toEqual([])
})

test("a load without any sign of life is ended, and the error names the limit", async () => {
  const { engine, logged } = testEngine({ model: "silent", limits: { loadSilenceMs: 400 } })
  const failure = await new Client(engine, "say 1").failure()
  expect(failure).toBeInstanceOf(WorkerUnresponsive)
  expect(message(failure)).toContain("while loading for longer than the limit of 0.4 s")
  expect(logged.find((entry) => entry.event === "worker killed by watchdog")).toMatchObject({ limitMs: 400 })
})

test("a load that goes on slowly is not ended as long as it shows life", async () => {
  const lines =
    "i=0; while [ $i -lt 12 ]; do printf '\\036P0.%02d\\n' $i >&2; sleep 0.1; i=$((i+1)); done; exit 5"
  const { engine } = testEngine({ command: ["/bin/sh", "-c", lines], limits: { loadSilenceMs: 1000 } })
  const client = new Client(engine, "say 1")
  expect(message(await client.failure())).toContain("exit code 5")
  expect(client.events).toContainEqual({ type: "loading", fraction: 0.11 })
})

test("what a worker's own child writes after its end is among its last words", async () => {
  const { engine } = testEngine({
    command: ["/bin/sh", "-c", "(sleep 0.1; echo late words >&2) & exit 4"],
    limits: { drainMs: 10_000 },
  })
  expect(message(await new Client(engine, "say 1").failure())).toContain(
    "exit code 4; last output: late words",
  )
})

test("a process that outlives the worker and holds its stderr does not hold up the error", async () => {
  const { engine } = testEngine({
    command: ["/bin/sh", "-c", "sleep 600 & echo holder $! >&2; exit 4"],
    limits: { drainMs: 50 },
  })
  const failure = message(await new Client(engine, "say 1").failure())
  const holder = Number(/holder (\d+)/.exec(failure)?.[1])
  expect(isAlive(holder)).toBe(true)
  process.kill(holder, "SIGKILL")
})

test("a stream that takes longer than a step may is not ended as long as its steps come", async () => {
  const { engine } = testEngine({ limits: { stepMs: 1000, stepFactor: 2 } })
  expect((await new Client(engine, "drip 12").rest()).at(-1)?.type).toBe("done")
})

test("a worker that is stopped (SIGSTOP) in mid-stream is killed, and the next request gets another", async () => {
  const { engine, pid } = testEngine({ limits: { stepMs: 1500, stepFactor: 2 } })
  const client = new Client(engine, "hold")
  await client.until("delta")
  const stopped = pid()
  process.kill(stopped, "SIGSTOP")
  const failure = await client.failure()
  expect(failure).toBeInstanceOf(WorkerUnresponsive)
  expect(message(failure)).toContain("while computing a step for longer than the limit of")
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
  expect(isAlive(stopped)).toBe(false)
})

test("a worker that hangs in a step is killed; requests that waited get the next one", async () => {
  const { engine } = testEngine({ slots: 1, limits: { stepMs: 1500, stepFactor: 2 } })
  const hanging = new Client(engine, "hang")
  await hanging.until("delta")
  const waiting = new Client(engine, "say 1")
  await waiting.until("queued")
  expect(await hanging.failure()).toBeInstanceOf(WorkerUnresponsive)
  expect((await waiting.rest()).at(-1)?.type).toBe("done")
})

test("how long a step may take is a setting of its model", async () => {
  const { engine } = testEngine({ models: { m: { settings: { stepTimeoutSeconds: 1 } } } })
  const hanging = new Client(engine, "hang")
  await hanging.until("delta")
  expect(message(await hanging.failure())).toContain("for longer than the limit of 1 s")
})

test("a worker that never answers a render is killed", async () => {
  const { engine } = testEngine({ limits: { stepMs: 400 } })
  await expect(engine.render(completion("hang"), NEVER)).rejects.toBeInstanceOf(WorkerUnresponsive)
})

test("no slot is lost by random cancels, failures and crashes", async () => {
  const slots = 3
  const { engine } = testEngine({ slots })
  const random = generator(7)
  const outcomes = await Promise.all(Array.from({ length: 60 }, () => runOne(random)))
  expect(new Set(outcomes)).toEqual(new Set(["done", "left", "decode_failed", "worker_crashed"]))

  await engine.preload("m", NEVER)
  expect(engine.loaded()[0]).toMatchObject({ activeRequests: 0, queuedRequests: 0 })
  const held = Array.from({ length: slots }, () => new Client(engine, "hold"))
  for (const client of held) await client.until("delta")
  const next = new Client(engine, "say 1")
  await next.until("queued")
  expect(engine.loaded()[0]).toMatchObject({
    activeRequests: slots,
    queuedRequests: 1,
    counters: { preemptions: 0 },
  })
  held[0]?.abort()
  expect((await next.rest()).at(-1)?.type).toBe("done")

  /** One client that does something of a few kinds, drawn by chance; says how it ended. */
  async function runOne(random: (below: number) => number): Promise<string | undefined> {
    const kind = random(20)
    const weight = 1 + random(4)
    if (kind === 0) return codeOf(await new Client(engine, "crash").failure())
    if (kind < 3) return codeOf(await new Client(engine, "fail", weight).failure())
    if (kind < 10) return leaveAfter(new Client(engine, "hold", weight), random(2) === 0, random(3))
    return codeOf(await new Client(engine, `say ${random(30)}`, weight).failure()) ?? "done"
  }
})

/** Leaves after the first load event, the queue, or a text; one that the crash met first ends with it. */
async function leaveAfter(client: Client, byAbort: boolean, moment: number): Promise<string | undefined> {
  const type = (["loading", "queued", "delta"] as const)[moment] ?? "delta"
  try {
    await client.until(type === "queued" ? "delta" : type)
  } catch (error) {
    return codeOf(error)
  }
  if (byAbort) client.abort()
  else await client.leave()
  return "left"
}

function codeOf(error: unknown): string | undefined {
  return error instanceof XllmError ? error.code : undefined
}

/** Whole numbers below a bound, always the same ones for a seed (a linear congruential generator). */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
