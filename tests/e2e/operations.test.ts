import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { bindSocket } from "../support/fakes/notify-socket"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { noPrometheus, promtool, startPrometheus } from "../support/prometheus"
import { tempFolder } from "../support/temp-folder"
import { until } from "../support/until"

const STREAMS = 16

let xllm: Installation

beforeAll(async () => {
  xllm = await Installation.create()
  for (const [index, name] of ["a", "b", "c"].entries())
    writeTinyModel(join(xllm.models, `${name}.gguf`), { seed: index + 1 })
})
afterAll(() => xllm[Symbol.dispose]())

/** Names of the models that are loaded or being loaded. */
const names = async (server: InstalledServer) => (await server.loaded()).map(({ name }) => name).sort()

async function use(server: InstalledServer, model: string, body: object = {}): Promise<void> {
  const response = await server.chat({ model, max_tokens: 1, ...body })
  expect([response.status, await response.json()]).toMatchObject([200, { model }])
}

describe.skipIf(process.platform !== "linux")("a server that is told to end", () => {
  test("finishes sixteen streams, answers others with 503, and ends with 0", async () => {
    const loading = ["--ctx", "512", "--kv-cells", "4k", "--gpu-layers", "0"]
    await using server = await xllm.serve([], { loading })
    await use(server, "a")
    const worker = await server.worker("a")
    const request = { model: "a", stream: true, max_tokens: 40, ignore_eos: true }
    // A worker that stands still makes the order of events certain.
    process.kill(worker, "SIGSTOP")
    const streams = Array.from({ length: STREAMS }, () => server.chat(request))
    await until(async () => (await server.loaded())[0]?.active_requests === STREAMS)
    server.kill("SIGTERM")
    await until(async () => (await server.get("/v0/health/ready")).status === 503)
    const late = await server.chat(request)
    expect([late.status, late.headers.get("retry-after")]).toEqual([503, "1"])
    expect(await late.json()).toMatchObject({ error: { code: "stopping" } })
    expect((await server.get("/v0/health/live")).status).toBe(200)
    process.kill(worker, "SIGCONT")
    for (const stream of streams) {
      const text = await (await stream).text()
      expect(text).toContain('"finish_reason":"length"')
      expect(text.trimEnd()).toEndWith("data: [DONE]")
    }
    expect(await server.exited).toBe(0)
    expect(xllm.processes()).toEqual([])
  })

  test("ends at once when it is told again, workers too", async () => {
    await using server = await xllm.serve()
    await use(server, "a")
    process.kill(await server.worker("a"), "SIGSTOP")
    const answer = server.chat({ model: "a" }).catch((error: unknown) => error)
    await until(async () => (await server.loaded())[0]?.active_requests === 1)
    server.kill("SIGINT")
    await until(async () => (await server.get("/v0/health/ready")).status === 503)
    server.kill("SIGINT")
    expect(await server.exited).toBe(130)
    await until(() => xllm.processes().length === 0)
    await answer
  })
})

describe.skipIf(process.platform !== "linux")("systemd is told", () => {
  test("when the executable is ready, that it is alive, and when it stops", async () => {
    const name = `@xllm-e2e-${process.pid}`
    using socket = bindSocket(name)
    const environment = { NOTIFY_SOCKET: name, WATCHDOG_USEC: "200000" }
    await using server = await xllm.serve(["a"], { environment })
    const told: string[] = []
    const hear = (text: string) =>
      until(() => {
        told.push(...socket.take())
        return told.includes(text)
      })
    await hear(`READY=1\nMAINPID=${server.pid}`)
    // Not before the model that it was started with is loaded.
    expect((await server.loaded())[0]).toMatchObject({ name: "a", state: "ready" })
    expect(told[0]).toBe(`STATUS=listening on ${server.url}`)
    await hear("WATCHDOG=1")
    server.kill("SIGHUP")
    await hear("RELOADING=1")
    expect(await server.stop()).toBe(0)
    await hear("STOPPING=1")
  })
})

describe("models come and go", () => {
  test("where two may be loaded, the third takes the place of the least recently used", async () => {
    await using server = await xllm.serve(["--max-models", "2"])
    await use(server, "a")
    await use(server, "b")
    await use(server, "a")
    await use(server, "c")
    expect(await names(server)).toEqual(["a", "c"])
    const metrics = await (await server.get("/metrics")).text()
    expect(metrics).toMatch(/^xllm_model_evictions_total\{model="b"\} 1$/m)
  })

  test.skipIf(process.platform !== "linux")(
    "a model that is answering keeps its place, and where all are the request waits",
    async () => {
      await using server = await xllm.serve(["--max-models", "2"])
      await use(server, "a")
      await use(server, "b")
      const stopped = await server.worker("a")
      process.kill(stopped, "SIGSTOP")
      const busy = server.chat({ model: "a", max_tokens: 8 })
      await until(async () => (await server.loaded()).some((model) => model.active_requests === 1))
      await use(server, "c")
      expect(await names(server)).toEqual(["a", "c"])

      process.kill(await server.worker("c"), "SIGSTOP")
      const alsoBusy = server.chat({ model: "c", max_tokens: 8 })
      await until(async () => (await server.loaded()).every((model) => model.active_requests === 1))
      // It is told that it waits, since the answer is long in coming.
      const waiting = await server.chat({ model: "b", max_tokens: 1, stream: true })
      process.kill(stopped, "SIGCONT")
      expect((await busy).status).toBe(200)
      const text = await waiting.text()
      expect(text).toStartWith(": ")
      expect(text.trimEnd()).toEndWith("data: [DONE]")
      expect(await names(server)).toEqual(["b", "c"])
      process.kill(await server.worker("c"), "SIGCONT")
      expect((await alsoBusy).status).toBe(200)
    },
  )

  test("an idle model goes when its time is over, and leaves no process", async () => {
    await using server = await xllm.serve(["--keep-alive", "0.2"])
    await use(server, "a")
    await until(async () => (await server.loaded()).length === 0)
    await until(() => xllm.processes().every((pid) => pid === server.pid))
  })

  test("keep_alive 0 unloads after the answer; for ever keeps it against the server's setting", async () => {
    await using server = await xllm.serve(["--keep-alive", "0.1"])
    await use(server, "a", { keep_alive: -1 })
    await use(server, "b", { keep_alive: 0 })
    await until(async () => !(await names(server)).includes("b"))
    expect((await server.loaded())[0]).toMatchObject({ name: "a", stays: true, expires_at: null })
    await use(server, "a", { keep_alive: 0 })
    await until(async () => (await server.loaded()).length === 0)
  })
})

if (noPrometheus !== undefined) console.log(noPrometheus)

describe.skipIf(noPrometheus !== undefined)("a real Prometheus", () => {
  // It looks for its targets every five seconds only.
  test("scrapes the executable and tells a counter; promtool finds nothing to say", async () => {
    using folder = tempFolder()
    await using server = await xllm.serve([], { environment: { XLLM_API_KEY: "secret" } })
    const headers = { authorization: "Bearer secret" }
    for (let asked = 0; asked < 3; asked++) {
      await (await server.chat({ model: "a", max_tokens: 5, ignore_eos: true }, { headers })).text()
    }
    const target = { host: "127.0.0.1", port: server.port, path: "/metrics", key: "secret" }
    await using prometheus = await startPrometheus(folder.path, target)

    const text = await (await server.get("/metrics", { headers })).text()
    // Those of llama-server have its names, with what promtool would not choose.
    const own = text.split("\n").filter((line) => !line.includes("llamacpp:"))
    const check = Bun.spawnSync([promtool ?? "", "check", "metrics"], { stdin: Buffer.from(own.join("\n")) })
    expect([check.stderr.toString() + check.stdout.toString(), check.exitCode]).toEqual(["", 0])

    const generated = await until(() => prometheus.query('xllm_generated_tokens_total{model="a"}'))
    expect(generated).toBe(15)
    const route = 'route="/v1/chat/completions",model="a",status="200"'
    expect(await prometheus.query(`xllm_http_requests_total{${route}}`)).toBe(3)
    expect(await prometheus.query('up{job="xllm"}')).toBe(1)
  })
})
