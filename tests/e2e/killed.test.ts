import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { APIError } from "openai"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation } from "../support/installation"
import { until } from "../support/until"

/** How long a worker may outlive its server, in milliseconds. */
const ORPHAN_MS = 2000

let xllm: Installation

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  writeTinyModel(join(xllm.models, "large.gguf"), { dim: 512, layers: 8, ffn: 1024 })
})
afterAll(() => xllm[Symbol.dispose]())

/** As long as the context allows, which is long enough to be killed in. */
const ENDLESS = { ignore_eos: true, stream: true } as const
const ROOMY = { loading: ["--ctx", "4k", "--kv-cells", "8k", "--gpu-layers", "0"] }

describe.skipIf(process.platform !== "linux")("kill -9", () => {
  test("of a worker ends its streams with an error event; the server lives and the next request is answered", async () => {
    await using server = await xllm.serve([], ROOMY)
    const raw = server.chat({ ...ENDLESS, model: "tiny" })
    const question = { model: "tiny", messages: [{ role: "user" as const, content: "hello" }] }
    const stream = await server.client().chat.completions.create({ ...ENDLESS, ...question })
    let chunks = 0
    const reading = (async () => {
      for await (const _ of stream) {
        if (++chunks === 3) process.kill(await server.worker("tiny"), "SIGKILL")
      }
    })()
    const failure = await reading.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(APIError)
    expect(failure).toMatchObject({ code: "worker_crashed" })
    expect(String(failure)).toContain("SIGKILL")
    expect(chunks).toBeGreaterThanOrEqual(3)
    const last = (await (await raw).text()).trimEnd().split("\n").at(-1)
    expect(last).toMatch(/^data: \{"error":\{.*"code":"worker_crashed"/)

    const next = await server.chat({ model: "tiny", max_tokens: 4 })
    expect([next.status, await next.json()]).toMatchObject([200, { usage: { completion_tokens: 4 } }])
    const metrics = await (await server.get("/metrics")).text()
    expect(metrics).toMatch(/^xllm_worker_crashes_total\{model="tiny"\} 1$/m)
    expect(await server.stop()).toBe(0)
  })

  test("of a worker that preloads leaves the model failed, and the server goes on and tries again when asked", async () => {
    await using server = await xllm.serve(["large"])
    const worker = await until(async () => (await server.loaded())[0]?.pid ?? undefined)
    process.kill(worker, "SIGKILL")
    await until(async () => (await server.get("/v0/health/ready")).ok)
    const health = await (await server.get("/v0/health")).json()
    const failed = { name: "large", kind: "text", state: "failed", code: "model_load_failed" }
    expect(health).toMatchObject({ status: "degraded", failed: [failed] })
    expect(JSON.stringify(health)).not.toContain(xllm.home)
    const next = await server.chat({ model: "large", max_tokens: 1 })
    expect(next.status).toBe(200)
    expect(await (await server.get("/v0/health")).json()).toMatchObject({ status: "ok", failed: [] })
    expect(await server.stop()).toBe(0)
  })

  test("is not needed to end a preload: stop does, and the server goes on", async () => {
    await using server = await xllm.serve(["large"])
    await until(async () => (await server.loaded())[0]?.pid ?? undefined)
    const stopped = await server.post("/v0/stop", { model: "large" })
    expect(await stopped.json()).toEqual({ model: "large", stopped: true })
    await until(async () => (await server.get("/v0/health/ready")).ok)
    expect(await (await server.get("/v0/health")).json()).toMatchObject({ status: "ok", failed: [] })
    expect((await server.chat({ model: "large", max_tokens: 1 })).status).toBe(200)
    expect(await server.stop()).toBe(0)
  })

  test("of a worker that loads fails the request, and the next one loads again", async () => {
    await using server = await xllm.serve()
    const answer = server.chat({ model: "large", max_tokens: 1 })
    const worker = await until(async () => (await server.loaded())[0]?.pid ?? undefined)
    process.kill(worker, "SIGKILL")
    const response = await answer
    expect([response.status, await response.json()]).toMatchObject([
      500,
      { error: { code: "model_load_failed", message: expect.stringContaining("SIGKILL") } },
    ])
    expect((await server.chat({ model: "large", max_tokens: 1 })).status).toBe(200)
  })

  /** Kills the server, whose child has to be there, and waits until no process of it is left. */
  async function expectNoOrphan(server: Awaited<ReturnType<Installation["serve"]>>): Promise<void> {
    expect(xllm.processes().length).toBeGreaterThanOrEqual(2)
    server.kill("SIGKILL")
    const since = performance.now()
    await server.exited
    await until(() => xllm.processes().length === 0)
    expect(performance.now() - since).toBeLessThan(ORPHAN_MS)
  }

  test("of the server during a load leaves no process", async () => {
    await using server = await xllm.serve()
    void server.chat({ model: "large", max_tokens: 1 }).catch(() => {})
    await until(async () => (await server.loaded())[0]?.state === "loading" && xllm.processes().length >= 2)
    await expectNoOrphan(server)
  })

  test("of the server while it generates leaves no process", async () => {
    await using server = await xllm.serve([], ROOMY)
    const { body } = await server.chat({ ...ENDLESS, model: "large" })
    const reader = body?.getReader()
    await reader?.read()
    await expectNoOrphan(server)
    // What there is of the answer ends; nobody waits for ever.
    const drain = async () => {
      while ((await reader?.read())?.done === false);
    }
    await drain().catch(() => {})
  })

  test("of `run` leaves no process", async () => {
    await using session = xllm.openTerminal([
      "run",
      "./home/.xllm/models/large.gguf",
      "hi",
      "--max-tokens",
      "400",
    ])
    await until(() => xllm.processes().length >= 2)
    session.kill("SIGKILL")
    await session.exited
    const since = performance.now()
    await until(() => xllm.processes().length === 0)
    expect(performance.now() - since).toBeLessThan(ORPHAN_MS)
  })
})
