import { describe, expect, test } from "bun:test"
import { command as ps, psTable } from "../../src/cli/ps"
import { command as stop } from "../../src/cli/stop"
import { loadedModel, startChatServer } from "../support/chat-server"
import { fakeIo } from "../support/fake-io"
import { runXllm } from "../support/xllm"

describe("ps", () => {
  test("is a table of what the server has loaded", async () => {
    using server = startChatServer()
    const io = fakeIo({ environment: { XLLM_HOST: server.url } })
    await ps.execute([], io)
    expect(io.out).toBe(
      "NAME    ID              SIZE      PROCESSOR    CONTEXT    UNTIL      ACTIVE    QUEUED\n" +
        "smol    0123456789ab    150 MB    100% CPU     8192       Forever    2         0\n",
    )
  })

  test("takes a prefix, and prints JSON", async () => {
    using server = startChatServer()
    const [some, none] = [fakeIo(), fakeIo()]
    await ps.execute(["SM", "--json", "--host", server.url], some)
    await ps.execute(["x", "--json", "--host", server.url], none)
    expect(JSON.parse(some.out)).toEqual({ models: [loadedModel] })
    expect(JSON.parse(none.out)).toEqual({ models: [] })
  })

  const { info } = loadedModel
  test.each([
    [{ info: { ...info, gpu_layers: 31 } }, "100% GPU"],
    [{ info: { ...info, gpu_layers: 10 } }, "68%/32% CPU/GPU"],
    [{ state: "loading", progress: 0.437, info: null, size_bytes: 0 }, "Loading 43%..."],
    [{ state: "stopping" }, "Stopping..."],
  ] as const)("%#: shows where the layers are and what it is doing", (change, words) => {
    expect(psTable([{ ...loadedModel, ...change }])).toContain(words)
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
