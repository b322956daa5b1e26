import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as run } from "../../../src/cli/commands/run"
import { startChatServer } from "../../support/chat-server"
import { fakeIo } from "../../support/fakes/fake-io"
import { ModelsFolder } from "../../support/files/models-folder"
import { spawnXllm } from "../../support/xllm"

/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:1"

const question = (asked: readonly Record<string, unknown>[]) => asked[0]?.["messages"]

describe("one answer", () => {
  test("is printed as it came, with a line end", async () => {
    using server = startChatServer({ answer: () => ["Grüße,\n", "\x1b[1mWelt"] })
    const io = fakeIo({ input: "" })
    await run.execute(["smol", "hi", "there", "--host", server.url], io)
    expect([io.out, io.err]).toEqual(["Grüße,\n\x1b[1mWelt\n", ""])
    expect(question(server.asked)).toEqual([{ role: "user", content: "hi there" }])
  })

  test("cannot steer a terminal", async () => {
    using server = startChatServer({ answer: () => ["a\x1b[2Jb"] })
    const io = fakeIo({ isTerminal: true })
    await run.execute(["smol", "hi", "--host", server.url], io)
    expect(io.out).toBe("a\ufffd[2Jb\n")
  })

  test("has what is piped in behind the prompt and a blank line", async () => {
    using server = startChatServer()
    await run.execute(["smol", "Sum up.", "--host", server.url], fakeIo({ input: "some notes\n" }))
    expect(question(server.asked)).toEqual([{ role: "user", content: "Sum up.\n\nsome notes" }])
  })

  test("may be asked for by a pipe alone", async () => {
    using server = startChatServer()
    await run.execute(["smol", "--host", server.url], fakeIo({ input: "two\nlines\n" }))
    expect(question(server.asked)).toEqual([{ role: "user", content: "two\nlines" }])
  })

  test("is made as the flags say", async () => {
    using server = startChatServer()
    const flags = ["--system", "Be brief.", "--temperature", "0", "--seed", "7", "--max-tokens", "5"]
    const more = ["--stop", "a", "--stop", "b", "--top-k", "3", "--mirostat", "1"]
    await run.execute(["smol", "hi", ...flags, ...more, "--host", server.url], fakeIo({ input: "" }))
    expect(server.asked[0]).toMatchObject({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "hi" },
      ],
      temperature: 0,
      seed: 7,
      max_tokens: 5,
      stop: ["a", "b"],
      top_k: 3,
      mirostat: 1,
    })
  })

  test.each([
    ["10m", 600],
    ["0", 0],
    ["-1", -1],
  ])("--keepalive %s says how long the model stays", async (given, sent) => {
    using server = startChatServer()
    await run.execute(["smol", "hi", "--keepalive", given, "--host", server.url], fakeIo({ input: "" }))
    expect(server.asked[0]?.["keep_alive"]).toBe(sent)
  })

  test.each([
    ["--think", { enabled: true }],
    ["--think=true", { enabled: true }],
    ["--think=false", { effort: "none", enabled: false }],
    ["--think=HIGH", { effort: "high", enabled: true }],
  ])("%s says how the model thinks", async (flag, reasoning) => {
    using server = startChatServer()
    await run.execute(["smol", flag, "hi", "--host", server.url], fakeIo({ input: "" }))
    expect(server.asked[0]).toMatchObject({ messages: [{ role: "user", content: "hi" }], reasoning })
  })

  test("--think of no level is refused", async () => {
    await expect(run.execute(["smol", "hi", "--think=lots"], fakeIo({ input: "" }))).rejects.toThrow(
      "--think must be one of true, false, minimal, low, medium, high, xhigh, max, got 'lots'",
    )
  })

  test("--keepalive of no time is refused", async () => {
    const argv = ["smol", "hi", "--keepalive", "soon"]
    await expect(run.execute(argv, fakeIo({ input: "" }))).rejects.toThrow(
      "--keepalive must be a time such as 5m or 90 (seconds), got 'soon'",
    )
  })

  test("is asked of the server at --port", async () => {
    using server = startChatServer()
    await run.execute(["smol", "hi", "--port", new URL(server.url).port], fakeIo({ input: "" }))
    expect(question(server.asked)).toEqual([{ role: "user", content: "hi" }])
  })

  test("--verbose tells on stderr how long it took", async () => {
    using server = startChatServer()
    const io = fakeIo({ input: "" })
    await run.execute(["smol", "hi", "--verbose", "--host", server.url], io)
    expect(io.out).toBe("Hello, world\n")
    expect(io.err).toMatch(/^\ntotal duration: .*\n[^]*eval rate: +100\.00 tokens\/s\n$/)
  })

  test("--json is one object with text, usage and timings", async () => {
    using server = startChatServer()
    const io = fakeIo({ input: "" })
    await run.execute(["smol", "hi", "--json", "--host", server.url], io)
    expect(JSON.parse(io.out)).toEqual({
      model: "smol",
      text: "Hello, world",
      finish_reason: "stop",
      usage: {
        prompt_tokens: 7,
        completion_tokens: 3,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: 2 },
      },
      timings: {
        queue_ms: 1,
        load_ms: 0,
        prompt_n: 5,
        prompt_ms: 10,
        predicted_n: 3,
        predicted_ms: 20,
        total_ms: expect.any(Number),
      },
    })
  })

  test("of a format that is cut off is said not to be whole", async () => {
    using server = startChatServer({ answer: () => ['{"a": '], finishReason: "length" })
    const [cut, text] = [fakeIo({ input: "" }), fakeIo({ input: "" })]
    await run.execute(["smol", "hi", "--format", "json", "--host", server.url], cut)
    await run.execute(["smol", "hi", "--host", server.url], text)
    expect(cut.out).toBe('{"a": \n')
    expect(cut.err).toBe(
      "The answer was cut off and is not whole JSON; --max-tokens sets how long it may be.\n",
    )
    expect(text.err).toBe("")
  })

  test("ends when nobody reads it any more", async () => {
    using server = startChatServer({ staysOpen: true })
    const io = fakeIo({ input: "" })
    const write = io.write
    const closing = { ...io, write: (text: string) => (write(text), io.closeOutput()) }
    await run.execute(["smol", "hi", "--host", server.url], closing)
    expect(io.err).toBe("")
  })

  test("fails with the server's words, after what came", async () => {
    using server = startChatServer({ error: { code: "worker_crashed", message: "the worker died" } })
    const io = fakeIo({ input: "" })
    await expect(run.execute(["smol", "hi", "--host", server.url], io)).rejects.toThrow("the worker died")
    expect(io.out).toBe("Hello, world")
  })
})

describe("a model on a server", () => {
  test("has settings of its own, which is said of flags that would set them", async () => {
    using server = startChatServer()
    const io = fakeIo({ input: "" })
    await run.execute(["smol", "hi", "--ctx", "4096", "--log-level", "info", "--host", server.url], io)
    expect(io.err).toBe(
      `warning: --ctx, --log-level have no effect: the server at ${server.url} has its own settings\n`,
    )
    expect(io.out).toBe("Hello, world\n")
  })

  test("is found by the server's own rule for names", async () => {
    using server = startChatServer()
    for (const name of ["smol", "SMOL", "Smol:latest"]) {
      await run.execute([name, "hi", "--host", server.url], fakeIo({ input: "" }))
    }
    expect(server.asked.map(({ model }) => model)).toEqual(["smol", "smol", "smol"])
  })

  test("that refuses the API key is not taken for an absent one", async () => {
    using server = Bun.serve({
      port: 0,
      fetch: () => Response.json({ error: { message: "no", code: "invalid_api_key" } }, { status: 401 }),
    })
    const io = fakeIo({ input: "", environment: { XLLM_API_KEY: "wrong" } })
    const url = `http://127.0.0.1:${server.port}`
    await expect(run.execute(["smol", "hi", "--host", url], io)).rejects.toThrow(
      `the server at ${url} does not accept the API key given: set XLLM_API_KEY to one of its keys`,
    )
  })

  test("that only this machine's folder has is not downloaded, and is said to be there", async () => {
    using models = new ModelsFolder()
    await models.installTiny("mario")
    using server = startChatServer()
    // The file names the server: a user who names one himself means the models of that one.
    const config = join(models.home, "config.json")
    writeFileSync(config, JSON.stringify({ server: { host: new URL(server.url).host } }))
    const environment = {
      XLLM_HOME: models.home,
      XLLM_MODELS_DIR: models.path,
      XLLM_OLLAMA_REGISTRY: NOWHERE,
    }
    await expect(run.execute(["Mario", "hi"], fakeIo({ input: "", environment }))).rejects.toThrow(
      `model 'mario:latest' not found on the server at ${server.url}; 'mario:latest' is in ${models.path}, which is not ` +
        "where that server has its models",
    )
  })
})

describe("run refuses", () => {
  test.each([
    [
      ["smol", "hi", "--min-tokens", "9", "--max-tokens", "5", "--port", "1"],
      { input: "" },
      "min_tokens must be at most max_tokens (5), got 9",
    ],
    [["smol"], { input: "  \n" }, "run needs a PROMPT here"],
    [["smol", "--json"], { isTerminal: true }, "run needs a PROMPT here"],
    [[], { isTerminal: true }, "run needs MODEL [PROMPT…]; see 'xllm run --help'"],
    [["./m.gguf", "hi", "--host", "box"], { input: "" }, "a server accepts model names, not paths"],
  ])("%p", async (argv, options, message) => {
    await expect(run.execute(argv, fakeIo(options))).rejects.toThrow(message)
  })

  test("a model that the server does not have", async () => {
    using server = startChatServer()
    const argv = ["smal", "hi", "--host", server.url]
    await expect(run.execute(argv, fakeIo({ input: "" }))).rejects.toThrow(
      "model 'smal' not found; did you mean 'smol'?",
    )
  })
})

describe("a process that is told to end in mid-answer", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s ends with %d, and what came is there", async (signal, code) => {
    using server = startChatServer({ staysOpen: true })
    const child = spawnXllm(["run", "smol", "hi", "--host", server.url])
    let out = ""
    for await (const bytes of child.stdout) {
      const before = out
      out += new TextDecoder().decode(bytes)
      if (!before.includes("world") && out.includes("world")) child.kill(signal)
    }
    expect({ out, err: await child.stderr.text(), code: await child.exited }).toEqual({
      out: "Hello, world\n",
      err: "",
      code,
    })
  })

  test("by a reader that has enough ends quietly", async () => {
    using server = startChatServer({
      answer: () => Array.from({ length: 50_000 }, () => "word "),
      staysOpen: true,
    })
    const child = spawnXllm(["run", "smol", "hi", "--host", server.url])
    const reader = child.stdout.getReader()
    await reader.read()
    await reader.cancel()
    expect({ err: await child.stderr.text(), code: await child.exited }).toEqual({ err: "", code: 0 })
  })
})
