import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { commands } from "../../src/cli/main"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { until } from "../support/until"

let xllm: Installation
let server: InstalledServer
/** Nobody listens there, so that `run` computes by itself. */
const NO_SERVER = { XLLM_HOST: "127.0.0.1:1" }
const FLAGS = ["--temperature", "0", "--max-tokens", "6"]

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  writeTinyModel(join(xllm.folder, "other.gguf"), { seed: 2 })
  server = await xllm.serve()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

/** A command that asks the server. */
const ask = (argv: readonly string[], input?: string) =>
  xllm.run([...argv, "--host", server.url], input === undefined ? {} : { input })

describe("the executable's help", () => {
  test.each(Object.keys(commands))("of %s tells how it is used, with an example", async (name) => {
    const { out, err, code } = await xllm.run([name, "--help"])
    expect([err, code]).toEqual(["", 0])
    expect(out).toStartWith(`${commands[name]?.summary}\n\nUsage:\n  xllm ${name}`)
    expect(out).toMatch(new RegExp(`^Examples:\n  .*xllm ${name}`, "m"))
    expect(out).not.toContain("\x1b")
  })

  test.each([
    [["rnu"], "did you mean 'run'?"],
    [["list", "--jsno"], "did you mean --json?"],
  ])("is offered for %p", async (argv, hint) => {
    const { out, err, code } = await xllm.run(argv)
    expect([out, code]).toEqual(["", 1])
    expect(err).toMatch(/^Error: unknown /)
    expect(err).toContain(hint)
  })
})

describe("run", () => {
  test("answers the same by a server, by itself, and about piped text", async () => {
    const text = await ask(["run", "tiny", "hello there", ...FLAGS])
    expect(text).toMatchObject({ err: "", code: 0 })
    expect(text.out).toMatch(/^.{2,}\n$/s)
    expect(text.out).not.toContain("\x1b")
    // Piped text stands behind the prompt and a blank line.
    const piped = await ask(["run", "tiny", "hello there", ...FLAGS], "friend\n")
    expect(await ask(["run", "tiny", "hello there\n\nfriend", ...FLAGS])).toEqual(piped)
    const alone = await xllm.run(["run", "tiny", "hello there", ...FLAGS], { environment: NO_SERVER })
    expect(alone.out).toBe(text.out)
    expect((await server.loaded()).map(({ name }) => name)).toEqual(["tiny"])
  })

  test.each([
    ["a whole answer", ["run", "tiny", "hello", "--json", ...FLAGS]],
    ["parameters that contradict each other", ["run", "tiny", "hello", "--min-tokens", "9", ...FLAGS]],
    ["a model of another kind", ["speak", "tiny", "hello", "-o", "hello.wav"]],
  ])("says the same by a server and by itself: %s", async (_what, argv) => {
    // Times differ, and a server may have the beginning of the prompt already.
    const shown = ({ out, err, code }: Awaited<ReturnType<typeof ask>>) => [
      out.replace(/"timings": .*/s, "").replace(/"cached_tokens": \d+/, ""),
      err.replace(/^no server answers .*\n/, ""),
      code,
    ]
    const alone = await xllm.run(argv, { environment: NO_SERVER })
    expect(shown(alone)).toEqual(shown(await ask(argv)))
  })

  test("takes the path of a file, from the folder that it is started in", async () => {
    const { out, err, code } = await xllm.run(["run", "./other.gguf", "--json", ...FLAGS], { input: "hi" })
    expect([err, code]).toEqual(["", 0])
    expect(JSON.parse(out)).toMatchObject({ model: "other", usage: { completion_tokens: 6 } })
  })

  test("needs something to answer", async () => {
    const { err, code } = await ask(["run", "tiny"])
    expect(err).toStartWith("Error: run needs a PROMPT here")
    expect(code).toBe(1)
  })

  test("says which server does not have the model", async () => {
    const { err, code } = await ask(["run", "nope", "hi"])
    expect([err, code]).toEqual([
      `Error: model 'nope' not found on the server at ${server.url}; there is only 'tiny'\n`,
      1,
    ])
  })
})

describe("run on a terminal", () => {
  test("is a conversation, with commands, texts of several lines, and a history for the next time", async () => {
    await using session = xllm.openTerminal(["run", "tiny", "--host", server.url, "--verbose", ...FLAGS])
    await session.see("Send a message")
    session.type("hello\r")
    expect(await session.see("eval rate:")).not.toContain("Error")
    await session.see(">>> ")
    session.type('"""one\r')
    await session.see("... ")
    session.type('two"""\r')
    const answer = await session.see("eval rate:")
    expect(answer).toContain("prompt eval count:")
    session.type("/set parameter temperature 9\r")
    await session.see("Error: ")
    session.type("/nonsense\r")
    await session.see("Unknown command")
    session.type("/show info\r")
    await session.see("Capabilities")
    session.type("\x04")
    expect(await session.exited).toBe(0)
    const history = readFileSync(join(xllm.home, ".xllm/history"), "utf8")
    expect(history).toContain("hello")
    expect(history).toContain("/show info")
  })

  test("Ctrl-C stops the answer only, and the model's work for it", async () => {
    const argv = ["run", "tiny", "--host", server.url, "--temperature", "0", "--max-tokens", "400"]
    await using session = xllm.openTerminal(argv)
    await session.see("Send a message")
    // A worker that stands still is in the middle of an answer for certain.
    const worker = await server.worker("tiny")
    process.kill(worker, "SIGSTOP")
    session.type("a long story\r")
    await until(async () => (await server.loaded())[0]?.active_requests === 1)
    session.type("\x03")
    await session.see(">>> ")
    process.kill(worker, "SIGCONT")
    await until(async () => (await server.loaded())[0]?.active_requests === 0)
    session.type("/bye\r")
    expect(await session.exited).toBe(0)
  })
})

describe("list and show", () => {
  test("tell what is in the models directory", async () => {
    const { out, code } = await xllm.run(["list"])
    expect(code).toBe(0)
    expect(out).toMatch(/^NAME +TYPE +ID +SIZE +MODIFIED\ntiny +text +[0-9a-f]{12} +\S+ [KM]B +.*ago\n$/)
    expect(JSON.parse((await xllm.run(["list", "--json"])).out)).toMatchObject({ models: [{ name: "tiny" }] })
    expect((await xllm.run(["list", "x"])).out).not.toContain("tiny")
  })

  test.each(["tiny", "./other.gguf"])("tell what %s is", async (model) => {
    const { out, err, code } = await xllm.run(["show", model])
    expect([err, code]).toEqual(["", 0])
    expect(out).toMatch(/architecture +llama\n/)
    expect(out).toMatch(/context length +4096\n/)
    expect((await xllm.run(["show", model, "--template"])).out).toContain("<|im_start|>")
  })
})

describe("ps and stop", () => {
  test("tell what is loaded, and unload it", async () => {
    await server.chat({ model: "tiny", max_tokens: 1 })
    const worker = await server.worker("tiny")
    const { out } = await ask(["ps", "-v"])
    expect(out).toMatch(/^NAME +ID +SIZE +PROCESSOR +CONTEXT +UNTIL +SLOTS +QUEUE +TOKENS\/S\ntiny /)
    expect(out).toMatch(/\n +layers +\d+ on CPU\n/)
    expect(JSON.parse((await ask(["ps", "--json"])).out)).toMatchObject({
      models: [{ name: "tiny", pid: worker, state: "ready", info: { slots: 4 } }],
    })
    expect(await ask(["stop", "tiny"])).toEqual({ out: "", err: "", code: 0 })
    expect((await ask(["ps"])).out.trimEnd().split("\n")).toHaveLength(1)
    expect(xllm.processes()).not.toContain(worker)
  })

  test("end an answer with an error that says so", async () => {
    await server.chat({ model: "tiny", max_tokens: 1 })
    const worker = await server.worker("tiny")
    process.kill(worker, "SIGSTOP")
    const answer = ask(["run", "tiny", "hi", "--max-tokens", "400"])
    await until(async () => (await server.loaded())[0]?.active_requests === 1)
    const stopping = ask(["stop", "tiny"])
    const { err, code } = await answer
    process.kill(worker, "SIGCONT")
    expect((await stopping).code).toBe(0)
    expect(err).toMatch(/^Error: .*stopping\n$/)
    expect(code).toBe(1)
  })

  test("say that there is no server", async () => {
    const { err, code } = await xllm.run(["ps"], { environment: NO_SERVER })
    expect(err).toBe(
      "Error: could not connect to a server at http://127.0.0.1:1; start one with 'xllm serve'\n",
    )
    expect(code).toBe(1)
  })
})

describe("config", () => {
  test("tells each setting and who said it, and the server obeys", async () => {
    const file = join(xllm.folder, "test.yaml")
    writeFileSync(file, "defaults: { ctx: 1k, slots: 3 }\nlimits: { max_models: 2 }\n")
    const environment = { XLLM_SLOTS: "5" }
    const { out } = await xllm.run(["config", "--config", file, "--ctx", "2k"], { environment })
    const line = (setting: string) => out.split("\n").find((text) => text.startsWith(`${setting} `))
    expect(line("defaults.ctx")).toMatch(/ 2048 +--ctx$/)
    expect(line("defaults.slots")).toMatch(/ 5 +XLLM_SLOTS$/)
    expect(line("limits.max_models")).toMatch(/ 2 +\S*test\.yaml$/)
    expect(line("queue.limit")).toMatch(/ 1000 +default$/)
    await using other = await xllm.serve(["--config", file, "--ctx", "2k"], {
      environment,
      loading: ["--kv-cells", "4k", "--gpu-layers", "0"],
    })
    await other.chat({ model: "tiny", max_tokens: 1 })
    expect((await other.loaded())[0]?.info).toMatchObject({ slots: 5, context_length: 2048 })
  })

  test("names what is wrong in a file, for every command that reads it", async () => {
    const file = join(xllm.folder, "wrong.yaml")
    writeFileSync(file, "defaults: { ctxx: 1 }\n")
    for (const name of ["config", "serve", "list"]) {
      const { out, err, code } = await xllm.run([name, "--config", file])
      expect([out, code]).toEqual(["", 1])
      expect(err).toMatch(
        /^Error: unknown setting 'defaults\.ctxx' in .*wrong\.yaml; did you mean 'defaults\.ctx'\?\n$/,
      )
    }
  })

  test("prints a schema that names every setting", async () => {
    const schema = JSON.parse((await xllm.run(["config", "--schema"])).out) as { properties: object }
    expect(Object.keys(schema.properties)).toContain("models")
  })
})

describe("two servers", () => {
  test("do not share a port: the second says so and ends with 1", async () => {
    const { out, err, code } = await xllm.run(["serve", "--port", String(server.port)])
    expect({ out, err, code }).toEqual({
      out: "",
      err: `Error: cannot listen on 127.0.0.1:${server.port}: the port is already in use; --port chooses another\n`,
      code: 1,
    })
  })

  test("may listen on a socket of the file system each, which is gone when they end", async () => {
    const path = join(xllm.folder, "one.sock")
    await using other = await xllm.serve(["--socket", path])
    expect(other.url).toBe(`unix:${path}`)
    const { out, code } = await xllm.run(["run", "tiny", "hi", "--socket", path, ...FLAGS])
    expect([out.length > 1, code]).toEqual([true, 0])
    expect(await other.stop()).toBe(0)
    expect(existsSync(path)).toBe(false)
  })

  test("need a key to be reached from other machines", async () => {
    const { out, err, code } = await xllm.run(["serve", "--host", "0.0.0.0", "--port", "0"])
    expect([out, code]).toEqual(["", 1])
    expect(err).toMatch(/^Error: .*XLLM_API_KEY.*--insecure/)
  })
})
