import { describe, expect, test } from "bun:test"
import { command as ps, psTable } from "../../../src/cli/commands/ps"
import { command as stop } from "../../../src/cli/commands/stop"
import { loadedModel, startChatServer } from "../../support/chat-server"
import { fakeIo } from "../../support/fakes/fake-io"
import { runXllm } from "../../support/xllm"

describe("ps", () => {
  test("is a table of what the server has loaded", async () => {
    using server = startChatServer()
    const io = fakeIo({ environment: { XLLM_HOST: server.url } })
    await ps.execute([], io)
    expect(io.out).toBe(
      "NAME    ID              SIZE      PROCESSOR    CONTEXT    UNTIL     SLOTS    QUEUE    TOKENS/S\n" +
        "smol    0123456789ab    150 MB    100% CPU     8192       In use    2/16     0        0.0\n",
    )
  })

  test("takes a prefix, and prints JSON", async () => {
    using server = startChatServer()
    const [some, none] = [fakeIo(), fakeIo()]
    await ps.execute(["SM", "--json", "--host", server.url], some)
    await ps.execute(["x", "--json", "--host", server.url], none)
    expect(JSON.parse(some.out)).toEqual({ models: [{ ...loadedModel, tokens_per_second: 0 }], failed: [] })
    expect(JSON.parse(none.out)).toEqual({ models: [], failed: [] })
  })

  const { info } = loadedModel
  test.each([
    [{ info: { ...info, gpu_layers: 31 } }, "100% GPU"],
    [{ info: { ...info, gpu_layers: 10 } }, "68%/32% CPU/GPU"],
    [{ state: "loading", progress: 0.437, info: null, size_bytes: 0 }, "Loading 43%..."],
    [{ state: "stopping" }, "Stopping..."],
    [{ stays: true }, "Forever"],
    [{ expires_at: "2026-01-01T00:04:00.000Z" }, "4 minutes from now"],
    [{ replica: 2 }, "smol#2 "],
    [{ footprint: { ram_bytes: 1e9, devices: [{ name: "GPU0", bytes: 2e9 }] } }, "3 GB"],
    [{ tokens_per_second: 12.34 }, "12.3\n"],
    [{ active_requests: 3, queued_requests: 7 }, "3/16     7 "],
  ] as const)("%#: shows what is known of it", (change, words) => {
    const model = { ...loadedModel, tokens_per_second: null, ...change }
    expect(psTable([model], new Date("2026-01-01T00:00:00Z"))).toContain(words)
  })

  test("shows a voice without what only text has", () => {
    const kind = "tts" as const
    const info = { kind, family: "piper", slots: 1, model_bytes: 63e6, devices: ["CPU"], threads: 2 } as const
    const voice = { ...loadedModel, kind, info, active_requests: 1, tokens_per_second: null }
    const [, row = ""] = psTable([voice], new Date(0)).split("\n")
    expect(row.split(/ {2,}/).slice(2)).toEqual(["150 MB", "100% CPU", "-", "In use", "1/1", "0", "-"])
  })

  test("shows how far models may grow, where any does", () => {
    const grows = { ...loadedModel, most_bytes: 3e9, tokens_per_second: null }
    const stays = { ...loadedModel, most_bytes: null, tokens_per_second: null }
    const [heading, ...rows] = psTable([grows, stays], new Date(0)).split("\n")
    expect(heading?.split(/ {2,}/).slice(2, 4)).toEqual(["SIZE", "UP TO"])
    expect(rows.slice(0, 2).map((row) => row.split(/ {2,}/)[3])).toEqual(["3 GB", "-"])
    expect(psTable([stays], new Date(0))).not.toContain("UP TO")
  })

  test("tells which models failed, and why", async () => {
    const failed = {
      name: "bad",
      kind: "text",
      id: "0123",
      state: "failed",
      code: "model_load_failed",
      reason: "model 'bad' could not be loaded: it is cut short",
      failed_at: new Date(Date.now() - 180_000).toISOString(),
    }
    const server = Bun.serve({
      port: 0,
      routes: { "/v0/ps": () => Response.json({ models: [], failed: [failed] }) },
    })
    const io = fakeIo({ environment: { XLLM_PORT: String(server.port) } })
    await ps.execute([], io)
    await server.stop(true)
    const [, ...lines] = io.out.trimEnd().split("\n")
    expect(lines).toEqual(["", "bad failed 3 minutes ago: model 'bad' could not be loaded: it is cut short"])
  })

  test("-v tells where the layers are, and why", async () => {
    const model = {
      ...loadedModel,
      active_requests: 0,
      plan: {
        devices: [
          { name: "GPU0", layers: 20 },
          { name: "CPU", layers: 11 },
        ],
        explanation: "20 of 31 layers fit on GPU0",
      },
      footprint: { ram_bytes: 5e8, devices: [{ name: "GPU0", bytes: 2e9 }] },
      notes: ["the context was halved"],
      pinned: true,
      counters: { ...loadedModel.counters, draft_n: 40, draft_n_accepted: 30 },
    }
    const memory = {
      total_bytes: 8e9,
      free_bytes: 3e9,
      used_by_models_bytes: 5e8,
      most_used_by_models_bytes: 7e8,
      limit_bytes: null,
    }
    const gpu = {
      name: "GPU0",
      ...memory,
      used_by_models_bytes: 2e9,
      most_used_by_models_bytes: 2e9,
      limit_bytes: 6e9,
    }
    const server = Bun.serve({
      port: 0,
      routes: {
        "/v0/ps": () => Response.json({ models: [model] }),
        "/v0/system": () => Response.json({ memory: { system: memory, gpus: [gpu] } }),
      },
    })
    const io = fakeIo({ environment: { XLLM_PORT: String(server.port) } })
    await ps.execute(["-v"], io)
    await server.stop(true)
    expect(io.out.slice(io.out.indexOf("\n\n"))).toBe(`

  smol
    why         20 of 31 layers fit on GPU0
    layers      20 on GPU0
    layers      11 on CPU
    memory      500 MB of the machine
    memory      2 GB of GPU0
    cache       8192 tokens (1 B, unified)
    threads     2, for prompts 2
    guessing    on: from earlier text, where it is faster; 30 of 40 tokens were right
    priority    normal, pinned
    note        the context was halved

MEMORY     MODELS    UP TO     FREE    TOTAL    LIMIT
machine    500 MB    700 MB    3 GB    8 GB     -
GPU0       2 GB      2 GB      3 GB    8 GB     6 GB
`)
  })

  test("measures how fast a model is from what it generates meanwhile", async () => {
    let tokens = 100
    const server = Bun.serve({
      port: 0,
      fetch() {
        const counters = { ...loadedModel.counters, tokens_generated: tokens }
        tokens += 50
        return Response.json({ models: [{ ...loadedModel, counters }] })
      },
    })
    const io = fakeIo({ environment: { XLLM_PORT: String(server.port) } })
    await ps.execute(["--json"], io)
    await server.stop(true)
    const speed = (JSON.parse(io.out) as { models: { tokens_per_second: number }[] }).models[0]
      ?.tokens_per_second
    // 50 tokens in at least the time that it waits.
    expect(speed).toBeGreaterThan(0)
    expect(speed).toBeLessThan(110)
  })
})

describe("stop", () => {
  test("asks the server, and says nothing where it worked", async () => {
    using server = startChatServer()
    const io = fakeIo()
    await stop.execute(["smol", "--host", server.url], io)
    expect([io.out, io.err]).toEqual(["", ""])
  })

  test("passes on what the server says", async () => {
    using server = startChatServer()
    const result = await runXllm(["stop", "nope", "--host", server.url])
    expect(result).toEqual({ out: "", err: "Error: model 'nope' not found\n", code: 1 })
  })
})

test.each([[["ps"]], [["stop", "smol"]]])("without a server, %p says how to start one", async (argv) => {
  const server = startChatServer()
  server[Symbol.dispose]()
  const { err, code } = await runXllm([...argv, "--host", server.url])
  expect(err).toBe(`Error: could not connect to a server at ${server.url}; start one with 'xllm serve'\n`)
  expect(code).toBe(1)
})
