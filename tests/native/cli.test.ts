import { afterAll, describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { writeTinyModel } from "../support/files/tiny-model"
import { startSession } from "../support/pty"
import { tempFolder } from "../support/temp-folder"
import { runXllm, spawnXllm } from "../support/xllm"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const model = join(folder.path, "tiny.gguf")
await writeTinyModel(model)

// Small, so that many can run beside each other; a port where nobody listens, so that `run` finds no server.
const environment = {
  XLLM_HOME: folder.path,
  XLLM_HOST: "127.0.0.1:1",
  XLLM_CTX: "512",
  XLLM_SLOTS: "2",
  XLLM_GPU_LAYERS: "0",
  XLLM_KV_CELLS: "1024",
}
const local = { environment }

/** Processes whose parent is `pid`, as Linux lists them. */
function childrenOf(pid: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => parentOf(child) === pid)
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
  } catch {
    return undefined
  }
}

const isAlive = (pid: number) => parentOf(pid) !== undefined

/** Starts a server and reads the address that it prints. */
async function serve(...argv: string[]) {
  const child = spawnXllm(["serve", "--port", "0", ...argv], local)
  const reader = child.stdout.getReader()
  const { value } = await reader.read()
  const line = new TextDecoder().decode(value)
  const url = /^xLLM is listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line)?.[1]
  if (url === undefined) throw new Error(`no address but: ${line}${await child.stderr.text()}`)
  return {
    child,
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
    },
  }
}

function chat(url: string, body: Record<string, unknown>): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "hi" }], ...body }),
  })
}

/** A file that llama.cpp refuses: it names an architecture that there is not. */
async function writeStrangeModel(): Promise<string> {
  const path = join(folder.path, "strange.gguf")
  const bytes = Buffer.from(await Bun.file(model).arrayBuffer())
  await Bun.write(path, Buffer.from(bytes.toString("latin1").replaceAll("llama", "lambs"), "latin1"))
  return path
}

interface LoadedModel {
  readonly pid: number
  readonly active_requests: number
  readonly queued_requests: number
}

/** The only model that is loaded. */
async function loaded(url: string): Promise<LoadedModel> {
  const { models } = (await (await fetch(`${url}/v0/ps`)).json()) as { models: LoadedModel[] }
  if (models[0] === undefined) throw new Error("no model is loaded")
  return models[0]
}

/** An answer that has begun, and is as long as there is room for. */
async function startStream(url: string) {
  const { body } = await chat(url, { stream: true, ignore_eos: true, logprobs: true })
  if (body === null) throw new Error("no stream")
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  const { value: first = "" } = await reader.read()
  return {
    /** All of it. */
    async rest(): Promise<string> {
      let text = first
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return text.trimEnd()
        text += value
      }
    },
  }
}

describe("run without a server", () => {
  const flags = ["--temperature", "0", "--max-tokens", "8"]

  test("says so where a server was named, and answers by itself", async () => {
    const { out, err, code } = await runXllm(
      ["run", "tiny", "hi", ...flags, "--models-dir", folder.path],
      local,
    )
    expect({ err, code }).toEqual({
      err: "no server answers at http://127.0.0.1:1; running the model without one\n",
      code: 0,
    })
    expect(out.length).toBeGreaterThan(1)
  })

  test("has a cache for the one conversation there is, unless more slots are set", async () => {
    const slotsOf = async (...flags: readonly string[]) => {
      const argv = ["run", model, "hi", "--max-tokens", "1", "--log-level", "info", "--log-format", "json"]
      const { XLLM_SLOTS, ...unset } = environment
      const { err } = await runXllm([...argv, ...flags], { environment: unset })
      return /"event":"model loaded".*"slots":(\d+)/.exec(err)?.[1]
    }
    expect(await slotsOf()).toBe("1")
    expect(await slotsOf("--slots", "3")).toBe("3")
  })

  test("answers the same twice, from a path and through a pipe, in text and in JSON", async () => {
    const text = await runXllm(["run", model, "hi", ...flags], local)
    const json = await runXllm(["run", model, "--json", ...flags], { ...local, input: "hi" })
    const answer = JSON.parse(json.out) as Record<string, unknown>
    expect(answer).toMatchObject({
      model: "tiny",
      finish_reason: "length",
      usage: { completion_tokens: 8 },
      timings: { predicted_n: 8 },
    })
    expect(text.out).toBe(`${String(answer["text"])}\n`)
    expect([text.err, json.err]).toEqual(["", ""])
  })

  test("Ctrl-C on a terminal stops the answer and ends with 130", async () => {
    await using session = startSession({ argv: ["run", model, "hi", "--max-tokens", "400"], environment })
    await session.see("\x1b[K") // the spinner: it loads
    session.type("\x03")
    expect(await session.exited).toBe(130)
  })

  test("a conversation asks the model in the same program", async () => {
    await using session = startSession({
      argv: ["run", model, "--max-tokens", "5", "--verbose"],
      environment,
    })
    await session.see("Send a message")
    session.type("hi\r")
    expect(await session.see("eval rate:")).not.toContain("Error")
    session.type("/show info\r")
    expect(await session.see("Capabilities")).toContain("architecture        llama")
    session.type("/bye\r")
    expect(await session.exited).toBe(0)
  })

  test("says in one line that a model cannot be loaded", async () => {
    const path = await writeStrangeModel()
    const { out, err, code } = await runXllm(["run", path, "hi"], local)
    expect([out, code]).toEqual(["", 1])
    expect(err).toMatch(/^Error: model 'strange' could not be loaded: .*lambs.*\n$/)
  })

  test.each([
    ["nope", "model 'nope' not found"],
    ["./nope.gguf", "model './nope.gguf' not found: no such file"],
  ])("%s is not found, here and in an empty registry", async (name, message) => {
    using registry = Bun.serve({ port: 0, fetch: () => Response.json({ errors: [] }, { status: 404 }) })
    const XLLM_PULL_OLLAMA_REGISTRY = registry.url.origin
    const place = { ...local, environment: { ...local.environment, XLLM_PULL_OLLAMA_REGISTRY } }
    const { err, code } = await runXllm(["run", name, "hi"], place)
    expect(err).toContain(`Error: ${message}`)
    expect(code).toBe(1)
  })
})

describe("serve", () => {
  test("loads what it is told to, answers, and ends with 0 when asked to", async () => {
    await using server = await serve(model)
    const response = await chat(server.url, { max_tokens: 4 })
    expect(await response.json()).toMatchObject({ model: "tiny", usage: { completion_tokens: 4 } })
    const { out } = await runXllm(["ps", "--host", server.url])
    expect(out).toMatch(/\ntiny +[0-9a-f]{12} +\S+ \S+ +100% CPU +512 +\S+ minutes from now +0\/2 +0 +-\n$/)
    expect(await runXllm(["stop", "tiny", "--host", server.url])).toEqual({ out: "", err: "", code: 0 })
    expect((await runXllm(["ps", "--host", server.url])).out).toMatch(/^NAME.*\n$/)
    server.child.kill("SIGTERM")
    expect(await server.child.exited).toBe(0)
  })

  describe.skipIf(process.platform !== "linux")("that is told to end", () => {
    /** Room for an answer that takes seconds. */
    const long = ["--ctx", "8k", "--kv-cells", "8k"]

    test("lets running answers finish, takes no others, and leaves no child", async () => {
      await using server = await serve(model, "--slots", "1")
      await chat(server.url, { max_tokens: 1 })
      const { pid: worker } = await loaded(server.url)
      const children = childrenOf(server.child.pid)
      // A worker that stands still makes the order of events certain.
      process.kill(worker, "SIGSTOP")
      const running = chat(server.url, { stream: true, max_tokens: 4 })
      while ((await loaded(server.url)).active_requests === 0);
      const waiting = chat(server.url, { max_tokens: 1 })
      while ((await loaded(server.url)).queued_requests === 0);
      server.child.kill("SIGTERM")
      expect((await waiting).status).toBe(503)
      const late = await chat(server.url, { max_tokens: 1 })
      expect([late.status, await late.json()]).toMatchObject([503, { error: { code: "stopping" } }])
      process.kill(worker, "SIGCONT")
      expect((await (await running).text()).trimEnd()).toEndWith("data: [DONE]")
      expect(await server.child.exited).toBe(0)
      expect(children).toContain(worker)
      expect(children.filter(isAlive)).toEqual([])
    })

    test("ends answers that take too long with an error event", async () => {
      await using server = await serve(model, "--shutdown-timeout", "10ms", ...long)
      const stream = await startStream(server.url)
      process.kill((await loaded(server.url)).pid, "SIGSTOP")
      server.child.kill("SIGINT")
      expect((await stream.rest()).split("\n").at(-1)).toMatch(/^data: \{"error":.*"code":"stopping"/)
      expect(await server.child.exited).toBe(0)
    })

    test("ends at once when it is told a second time", async () => {
      await using server = await serve(model, ...long)
      await startStream(server.url)
      const { pid: worker } = await loaded(server.url)
      process.kill(worker, "SIGSTOP")
      server.child.kill("SIGTERM")
      while ((await fetch(`${server.url}/v0/health`)).status !== 503);
      server.child.kill("SIGTERM")
      expect(await server.child.exited).toBe(143)
      while (isAlive(worker));
    })
  })

  test("refuses a file that is not there before it listens", async () => {
    expect(await runXllm(["serve", "--port", "0", "/nowhere/nope.gguf"], local)).toEqual({
      out: "",
      err: "Error: model '/nowhere/nope.gguf' not found: no such file\n",
      code: 1,
    })
  })

  test("goes on where a model that it was told to load cannot be loaded, and says so", async () => {
    await using server = await serve(await writeStrangeModel())
    while ((await fetch(`${server.url}/v0/health/ready`)).status !== 200);
    const health = await (await fetch(`${server.url}/v0/health`)).json()
    const reason = expect.stringMatching(/^model 'strange' could not be loaded: .*lambs/)
    expect(health).toMatchObject({
      status: "degraded",
      problems: [reason],
      failed: [{ name: "strange", reason }],
    })
    expect(JSON.stringify(health)).not.toContain(folder.path)
    server.child.kill("SIGTERM")
    expect(await server.child.exited).toBe(0)
  })

  test("says that a port is taken", async () => {
    await using server = await serve()
    const { port } = new URL(server.url)
    const { err, code } = await runXllm(["serve", "--port", port], {
      environment: { XLLM_HOME: folder.path },
    })
    const reason = "the port is already in use; --port chooses another"
    expect(err).toEndWith(`Error: cannot listen on 127.0.0.1:${port}: ${reason}\n`)
    expect(code).toBe(1)
  })
})
