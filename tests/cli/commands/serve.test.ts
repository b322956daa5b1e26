import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bindSocket } from "../../support/fakes/notify-socket"
import { writeTinyModel } from "../../support/files/tiny-model"
import { startSession } from "../../support/pty"
import { tempFolder } from "../../support/temp-folder"
import { until } from "../../support/until"
import { runXllm, spawnXllm } from "../../support/xllm"

let folder = tempFolder()
beforeEach(() => {
  folder = tempFolder()
})
afterEach(() => folder[Symbol.dispose]())

/** A server without models, from its address on. */
async function serve(argv: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const environment = { XLLM_HOME: folder.path, ...variables }
  const child = spawnXllm(["serve", "--port", "0", ...argv], { environment })
  const lines = child.stderr.pipeThrough(new TextDecoderStream()).getReader()
  let log = ""
  const { value } = await child.stdout.getReader().read()
  const url = /listening on (\S+)/.exec(new TextDecoder().decode(value))?.[1]
  if (url === undefined) throw new Error(`no address: ${log}`)
  return {
    child,
    url,
    /** Reads the log until it has `words`. */
    async logs(words: string): Promise<string> {
      while (!log.includes(words)) {
        const { value: more, done } = await lines.read()
        if (done) throw new Error(`the log ended without '${words}': ${log}`)
        log += more
      }
      return log
    },
    async end(): Promise<number> {
      child.kill("SIGTERM")
      return await child.exited
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
    },
  }
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  return (await fetch(`${url}/v1/models`, { headers })).status
}

describe("serve", () => {
  test("listens on a Unix socket, where commands find it", async () => {
    const path = join(folder.path, "x.sock")
    await using server = await serve(["--socket", path])
    expect(server.url).toBe(`unix:${path}`)
    expect((await fetch("http://localhost/v0/health", { unix: path })).status).toBe(200)
    const { out, err } = await runXllm(["ps", "--socket", path])
    expect([out, err]).toEqual([expect.stringMatching(/^NAME.*\n$/), ""])
    expect(await server.end()).toBe(0)
    expect(existsSync(path)).toBe(false)
  })

  test("takes other names of models over while it runs, and tells of those that lead nowhere", async () => {
    const home = join(folder.path, "aliases")
    mkdirSync(join(home, "models"), { recursive: true })
    for (const name of ["tiny", "other"]) writeTinyModel(join(home, "models", `${name}.gguf`), { layers: 1 })
    const configure = (aliases: object) =>
      writeFileSync(join(home, "config.json"), JSON.stringify({ aliases }))
    configure({ "gpt-4o": "TINY", none: "nothing" })
    await using server = await serve([], { XLLM_HOME: home })
    const known = async () => {
      const { data } = (await (await fetch(`${server.url}/v1/models`)).json()) as {
        data: { id: string; alias_of?: string }[]
      }
      return data.flatMap(({ id, alias_of }) => (alias_of === undefined ? [] : [[id, alias_of]]))
    }
    expect(await known()).toEqual([["gpt-4o", "tiny"]])
    await server.logs("the alias 'none' stands for 'nothing', which does not exist")
    configure({ "gpt-4o": "other", Tiny: "other" })
    await server.logs("the alias 'Tiny' has no effect: the model 'tiny' takes precedence")
    expect(await known()).toEqual([["gpt-4o", "other"]])
    const answer = await (await fetch(`${server.url}/v1/models/GPT-4o`)).json()
    expect(answer).toMatchObject({ id: "gpt-4o", alias_of: "other" })
  })

  test("wants one of its keys, which commands show", async () => {
    await using server = await serve([], { XLLM_API_KEY: "one,two" })
    expect(await statusOf(server.url)).toBe(401)
    expect(await statusOf(server.url, { authorization: "Bearer two" })).toBe(200)
    const [without, withKey] = await Promise.all(
      [{}, { XLLM_API_KEY: "two" }].map((environment) =>
        runXllm(["ps", "--host", server.url], { environment }),
      ),
    )
    expect([without?.code, withKey?.code]).toEqual([1, 0])
    expect(without?.err).toBe(
      `Error: the server at ${server.url} requires an API key: set XLLM_API_KEY to one of its keys\n`,
    )
  })

  test("counts, for those who ask", async () => {
    await using server = await serve([])
    await statusOf(server.url)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain('xllm_http_requests_total{route="/v1/models",model="",status="200"} 1')
  })

  test("writes its log to a file, and names variables that mean nothing", async () => {
    const path = join(folder.path, "x.log")
    await using server = await serve(["--log-file", path], { XLLM_SLTOS: "3" })
    expect(await server.end()).toBe(0)
    const events = readFileSync(path, "utf8").trimEnd().split("\n")
    expect(events[0]).toContain("unknown environment variable XLLM_SLTOS; did you mean XLLM_SLOTS?")
    expect(events.at(-1)).toContain('"event":"stopping"')
  })

  test("takes a changed file over, and keeps the old settings where it is wrong", async () => {
    const path = join(folder.path, "config.yaml")
    writeFileSync(path, "server: {api_keys: [old]}\n")
    await using server = await serve([])
    writeFileSync(path, "server: {api_keys: [new], host: 127.0.0.2}\n")
    const log = await server.logs("restart the server for these settings to take effect")
    expect(log).toContain('"settings":["server.api_keys"]')
    expect(log).toContain('"settings":["server.host"]')
    expect(await statusOf(server.url, { "x-api-key": "old" })).toBe(401)
    expect(await statusOf(server.url, { "x-api-key": "new" })).toBe(200)
    writeFileSync(path, "server: {api_kes: [newer]}\n")
    expect(await server.logs("invalid configuration")).toContain("did you mean 'server.api_keys'?")
    expect(await statusOf(server.url, { "x-api-key": "new" })).toBe(200)
  })

  test("does not start with settings that no model could be loaded with, and a reload keeps what was before", async () => {
    const wrong = { XLLM_CACHE_TYPE_V: "q4_0", XLLM_FLASH_ATTN: "off", XLLM_HOME: folder.path }
    const { code, err } = await runXllm(["serve", "--port", "0"], { environment: wrong })
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("Error: cache_type_v q4_0 needs flash attention"),
    ])
    const many = "1,".repeat(16) + "1"
    const split = await runXllm(["serve", "--tensor-split", many], {
      environment: { XLLM_HOME: folder.path },
    })
    expect(split.err).toContain("--tensor-split must have at most 16 entries")
    expect(split.err).toContain("got 17")

    const file = join(folder.path, "config.yaml")
    writeFileSync(file, "log: {level: info}\n")
    await using server = await serve([])
    writeFileSync(file, "log: {level: off}\nmodels: {m: {cache_type_v: q4_0, flash_attention: off}}\n")
    server.child.kill("SIGHUP")
    await server.logs("model 'm' cannot be loaded: cache_type_v q4_0 needs flash attention")
    expect(await server.end()).toBe(0)
  })

  test("goes on in a new file where its log was renamed and SIGHUP says so, as logrotate does", async () => {
    const path = join(folder.path, "xllm.log")
    await using server = await serve(["--log-file", path])
    const textOf = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : "")
    const ask = (id: string) => fetch(`${server.url}/v1/models`, { headers: { "x-request-id": id } })
    await ask("before")
    await until(() => textOf(path).includes("before"))
    renameSync(path, `${path}.1`)
    server.child.kill("SIGHUP")
    await until(() => existsSync(path))
    await ask("after")
    await until(() => textOf(path).includes("after"))
    expect(textOf(`${path}.1`)).not.toContain("after")
    expect(await server.end()).toBe(0)
    expect(textOf(path)).toContain('"event":"stopping"')
  })

  test.skipIf(process.platform !== "linux")("tells systemd how it does, and reloads on SIGHUP", async () => {
    const path = join(folder.path, "config.json")
    writeFileSync(path, "{}")
    using socket = bindSocket(join(folder.path, "notify"))
    await using server = await serve(["--config", path], {
      NOTIFY_SOCKET: join(folder.path, "notify"),
      WATCHDOG_USEC: "20000",
    })
    const told: string[] = []
    const hears = async (wanted: string, times = 1) => {
      while (told.filter((text) => text.startsWith(wanted)).length < times) {
        told.push(...socket.take())
        await statusOf(server.url)
      }
    }
    await hears("READY=1")
    await hears("WATCHDOG=1")
    server.child.kill("SIGHUP")
    await hears("READY=1", 2)
    expect(await server.end()).toBe(0)
    told.push(...socket.take())
    expect(told.filter((text) => text !== "WATCHDOG=1")).toEqual([
      `STATUS=listening on ${server.url}`,
      `READY=1\nMAINPID=${server.child.pid}`,
      "RELOADING=1",
      `READY=1\nMAINPID=${server.child.pid}`,
      "STOPPING=1",
    ])
  })
})

test("serve outlives a SIGHUP, but not the terminal that it was started on", async () => {
  const path = join(folder.path, "config.yaml")
  writeFileSync(path, "log: {level: info}")
  await using session = startSession({
    argv: ["serve", "--port", "0"],
    environment: { XLLM_HOME: folder.path },
  })
  await session.see("listening")
  session.kill("SIGHUP")
  writeFileSync(path, "queue: {limit: 1}")
  await session.see("configuration changed")
  session.hangUp()
  expect(await session.exited).toBe(0)
})

test("the unit for systemd is one that systemd takes", async () => {
  const unit = join(import.meta.dir, "../../../packaging/xllm.service")
  const settings = Object.fromEntries(
    readFileSync(unit, "utf8")
      .split("\n")
      .filter((line) => /^\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  )
  expect(settings).toMatchObject({ Type: "notify", KillMode: "mixed", ExecReload: "/bin/kill -HUP $MAINPID" })
  const verify = Bun.which("systemd-analyze")
  if (verify === null) return
  const installed = join(folder.path, "xllm.service")
  writeFileSync(installed, readFileSync(unit, "utf8").replaceAll("/usr/local/bin/xllm", process.execPath))
  const { stderr } = Bun.spawnSync([verify, "verify", installed])
  expect(stderr.toString()).toBe("")
})
