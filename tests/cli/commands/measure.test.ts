import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { Compile } from "typebox/compile"
import type { Command } from "../../../src/cli/args/command"
import { command as benchmark } from "../../../src/cli/commands/measure/benchmark"
import { command as compare } from "../../../src/cli/commands/measure/compare"
import { command as profile } from "../../../src/cli/commands/measure/profile"
import { BenchReport } from "../../../src/measure/report"
import { fakeIo, type FakeIoOptions } from "../../support/fakes/fake-io"
import { writeTinyModel } from "../../support/files/tiny-model"
import { tempFolder } from "../../support/temp-folder"
import { until } from "../../support/until"

setDefaultTimeout(120_000)

const check = Compile(BenchReport)
let home: ReturnType<typeof tempFolder>
let environment: Record<string, string>
let a: string
let b: string

beforeAll(() => {
  home = tempFolder()
  // No server of this machine has anything to do with these tests.
  environment = { XLLM_HOME: home.path, XLLM_PORT: "9" }
  a = join(home.path, "a.gguf")
  b = join(home.path, "b.gguf")
  writeTinyModel(a, { seed: 1 })
  writeTinyModel(b, { seed: 2 })
})
afterAll(() => home[Symbol.dispose]())
afterEach(() => {
  process.exitCode = 0
})

/** One thread: with two, other programs on the machine make every step wait. */
const SMALL = ["-t", "1", "-ngl", "0", "-p", "8", "-n", "4"]

async function run(command: Command, argv: readonly string[], options: FakeIoOptions = {}) {
  const io = fakeIo({ environment, ...options })
  await command.execute(argv, io)
  return { ...io, out: io.out, err: io.err, code: process.exitCode }
}

async function report(command: Command, argv: readonly string[]): Promise<BenchReport> {
  const { out } = await run(command, [...argv, "--format", "json"])
  const given: unknown = JSON.parse(out)
  expect(check.Check(given)).toBe(true)
  return given as BenchReport
}

describe("benchmark", () => {
  test("measures every combination of its lists, alone and as served", async () => {
    const lists = ["-b", "16", "-ub", "8,16", "-fa", "0", "-ctk", "f16", "-ctv", "f16", "-d", "0,16"]
    const served = ["--concurrency", "1,2", "--rate", "500", "--ttft-limit", "1e6", "--seed", "7"]
    const page = join(home.path, "page.html")
    const given = await report(benchmark, [
      a,
      ...SMALL,
      ...lists,
      ...served,
      "-r",
      "2",
      "--warmup",
      "1",
      "--html",
      page,
    ])
    expect(given.failures).toEqual([])
    expect(given.tests.map(({ name, via, loaded_with }) => [name, via, loaded_with?.ubatch])).toEqual([
      ...[8, 16].flatMap((ubatch) =>
        ["pp8", "tg4", "pp8 @ d16", "tg4 @ d16"].map((name) => [name, "worker", ubatch]),
      ),
      ["pp8+tg4 c1", "engine", 8],
      ["pp8+tg4 c2", "engine", 8],
      ["pp8+tg4 500/s", "engine", 8],
    ])
    for (const { samples, unit, loaded_with } of given.tests) {
      expect([samples.length, unit]).toEqual([2, "tokens/s"])
      expect(samples.every((sample) => sample > 0)).toBe(true)
      expect(loaded_with).toMatchObject({ backend: "CPU", threads: 1, gpu_layers: 0, flash_attention: "off" })
    }
    const [one, two] = given.tests.slice(8)
    expect(one?.goodput).toMatchObject({ limit_ms: 1e6, share: 1 })
    expect(two?.first_token_ms?.p99).toBeGreaterThan(0)
    expect(given.models).toMatchObject([{ architecture: "llama", kind: "text" }])
    expect(given.memory).toMatchObject([{ model: "a" }])
    expect(given.memory[0]?.peak_ram).toBeGreaterThan(1e6)
    expect(given.parameters.command).toEqual(["benchmark", a, ...given.parameters.command.slice(2)])
    expect(given.parameters.command).toContain("--ubatch-size")
    expect(await Bun.file(page).text()).toContain("<svg ")
  })

  test("takes turns between models, and goes on where one is missing or does not load", async () => {
    const broken = join(home.path, "broken.gguf")
    // An architecture that no library knows: the file can be described, but not loaded.
    const bytes = Buffer.from(await Bun.file(a).bytes())
      .toString("latin1")
      .replaceAll("llama", "lxama")
    await Bun.write(broken, Buffer.from(bytes, "latin1"))
    const argv = [a, broken, b, join(home.path, "none.gguf"), ...SMALL, "-r", "1", "--concurrency", "0"]
    const given = await report(benchmark, argv)
    expect(given.tests.map(({ model, name }) => `${model} ${name}`)).toEqual([
      "a pp8",
      "b pp8",
      "a tg4",
      "b tg4",
    ])
    expect(given.failures.map(({ model }) => model)).toEqual([join(home.path, "none.gguf"), "broken"])
    expect(process.exitCode).toBe(1)
  })

  test("fails where nothing can be measured", async () => {
    await expect(run(benchmark, [join(home.path, "none.gguf")])).rejects.toThrow("none.gguf")
    await expect(run(benchmark, [a, "-p", "0", "-n", "0"])).rejects.toThrow("nothing is left to measure")
    await expect(run(benchmark, [a, "--url", "http://x"])).rejects.toThrow("--via http")
    await expect(run(benchmark, [a, "-t", "1-64", "-b", "1-64", "--concurrency", "0"])).rejects.toThrow(
      "combinations",
    )
  })

  test("prints what there is when it is interrupted, and how long it takes until then", async () => {
    const io = fakeIo({ environment, isTerminal: true, columns: 120 })
    const running = benchmark.execute(
      [a, ...SMALL, "-r", "1000", "--concurrency", "0", "--format", "json"],
      io,
    )
    await until(() => Promise.resolve(io.err.includes(" left")))
    process.emit("SIGINT")
    await running
    const given: unknown = JSON.parse(io.out)
    expect(given).toMatchObject({ interrupted: true })
    expect(check.Check(given) && given.tests.length).toBeGreaterThan(0)
    expect(process.exitCode).toBe(130)
  })

  test("has a prompt from a file", async () => {
    const prompt = join(home.path, "prompt.txt")
    await Bun.write(prompt, "the cat sat on the mat")
    const given = await report(benchmark, [a, ...SMALL, "-p", "0", "-r", "1", "--prompt-file", prompt])
    expect(given.tests.map(({ name }) => name)).toEqual(["tg4", "file+tg4 c1"])
    expect(given.tests[1]?.prompt).toBeGreaterThan(2)
  })

  test("has a table, Markdown and CSV", async () => {
    const argv = [a, ...SMALL, "-r", "1", "--concurrency", "0"]
    const table = await run(benchmark, argv, { isTerminal: true, columns: 100 })
    expect(table.out).toMatch(/^model +size +params/)
    expect(table.out).toContain("█")
    expect((await run(benchmark, [...argv, "--format", "csv"])).out.split("\n").length).toBe(4)
    expect((await run(benchmark, [...argv, "--format", "md"])).out).toStartWith("| model")
  })
})

/** A server of another kind, as recorded: it ends after three tokens, whatever is asked of it. */
function foreignServer() {
  const seen: Record<string, unknown>[] = []
  const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const body = (await request.json()) as Record<string, unknown>
      seen.push({ ...body, authorization: request.headers.get("authorization") })
      const tokens = String(body["prompt"]).trim().split(/\s+/).length + 1
      if (body["stream"] !== true) return Response.json({ usage: { prompt_tokens: tokens } })
      const text = ["a", " b", " c"].map((piece) => event({ choices: [{ text: piece }] }))
      const end = event({ choices: [{ text: "", finish_reason: "stop" }] })
      const usage = event({ choices: [], usage: { prompt_tokens: tokens, completion_tokens: 3 } })
      return new Response([...text, end, usage, "data: [DONE]\n\n"].join(""))
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, seen, [Symbol.dispose]: () => void server.stop(true) }
}

test("benchmark measures a foreign server by its usage, and marks that it ignores ignore_eos", async () => {
  using server = foreignServer()
  const argv = ["some-model", "--via", "http", "--url", `${server.url}/v1`, "-p", "16", "-n", "8", "-r", "2"]
  const given = await report(benchmark, argv)
  expect(given.tests).toMatchObject([
    {
      model: "some-model",
      name: "pp16+tg8 c1",
      via: "http",
      notes: ["ignores ignore_eos: 2 of 2 answers were shorter"],
    },
  ])
  const streamed = server.seen.filter(({ stream }) => stream === true)
  expect(streamed.length).toBe(3)
  expect(streamed[0]).toMatchObject({
    max_tokens: 8,
    ignore_eos: true,
    cache_prompt: false,
    authorization: null,
  })
  expect(new Set(streamed.map(({ prompt }) => prompt)).size).toBe(3)
  expect(String(streamed[0]?.["prompt"]).trim().split(" ").length).toBe(16)
})

describe("compare", () => {
  test("finds no difference in quality between two copies, and a divergence between two models", async () => {
    const copy = join(home.path, "copy.gguf")
    await Bun.write(copy, Bun.file(a))
    const prompts = join(home.path, "prompts.txt")
    await Bun.write(prompts, "hello\n\nwho are you?\n")
    const argv = [a, copy, b, "--no-speed", "-t", "1", "--prompts", prompts, "--max-tokens", "4"]
    const given = await report(compare, argv)
    expect(given.quality?.map(({ model }) => model)).toEqual(["a", "copy", "b"])
    const [first, second, third] = given.quality ?? []
    expect(second?.perplexity).toBe(first?.perplexity)
    expect(second?.divergence).toEqual({ mean: 0, error: 0, p99: 0, same_top: 1 })
    expect(first?.divergence).toBeUndefined()
    expect(third?.divergence?.mean).toBeGreaterThan(0.01)
    expect(third?.divergence?.same_top).toBeLessThan(1)
    expect(given.answers?.map(({ prompt }) => prompt)).toEqual(["hello", "who are you?"])
    expect(given.answers?.[0]?.answers.map(({ model }) => model)).toEqual(["a", "copy", "b"])
    expect(given.answers?.[0]?.answers[0]?.text).toBe(given.answers?.[0]?.answers[1]?.text ?? "")
  })

  test("compares speed by pairs that take turns", async () => {
    const given = await report(compare, [a, b, ...SMALL, "--pairs", "5", "--no-quality"])
    expect(given.compare?.map(({ metric, base, other, n }) => [metric, base, other, n])).toEqual([
      ["pp8", "a", "b", 5],
      ["tg4", "a", "b", 5],
    ])
    expect(given.quality).toBeUndefined()
  })

  test("scores a text of one's own, which has to be long enough", async () => {
    const short = join(home.path, "short.txt")
    await Bun.write(short, "too short")
    await expect(run(compare, [a, b, "--no-speed", "--text", short, "-t", "1"])).rejects.toThrow(
      "at least 512",
    )
  })

  test("compares two files, and ends with 3 after a loss where that is asked for", async () => {
    const [old, now] = [join(home.path, "old.json"), join(home.path, "new.json")]
    const given = await report(benchmark, [a, ...SMALL, "-r", "1", "--concurrency", "0", "-n", "0"])
    const withSamples = (samples: number[]) => ({
      ...given,
      tests: given.tests.map((one) => ({ ...one, samples, unstable: undefined })),
    })
    await Bun.write(old, JSON.stringify(withSamples([100, 101, 99, 100, 102])))
    await Bun.write(now, JSON.stringify(withSamples([80, 81, 79, 80, 82])))
    expect((await run(compare, [old, now])).out).toContain("slower")
    expect(process.exitCode).toBe(0)
    await run(compare, [old, now, "--fail-on-loss"])
    expect(process.exitCode).toBe(3)
    process.exitCode = 0
    await run(compare, [now, old, "--fail-on-loss"])
    expect(process.exitCode).toBe(0)
    await Bun.write(now, "{}")
    await expect(run(compare, [old, now])).rejects.toThrow("xllm.bench/1")
  })
})

test("profile finds out what a model costs, and keeps it", async () => {
  // One thread, as above.
  const oneThread = { environment: { ...environment, XLLM_THREADS: "1" } }
  const { out } = await run(profile, [a, "-r", "1", "--ctx", "256", "--budget", "60s"], oneThread)
  for (const part of [
    "Load:",
    "KV cache of 1k tokens",
    "tokens in the context",
    "tokens of a batch",
    "A conversation of 256 tokens",
  ])
    expect(out).toContain(part)
  const [kept = ""] = readdirSync(join(home.path, "cache/profiles"))
  const facts: unknown = await Bun.file(join(home.path, "cache/profiles", kept)).json()
  expect(facts).toMatchObject({
    schema: "xllm.profile/1",
    depths: [{ depth: 0 }, { depth: 64 }, { depth: 128 }, { depth: 230 }],
    batchCosts: [{ tokens: 1 }, { tokens: 2 }, { tokens: 4 }, { tokens: 8 }, { tokens: 16 }],
  })
  // Nothing is applied that was not measured to be better, and nothing at all unless it is asked for.
  expect(existsSync(join(home.path, "config.yaml"))).toBe(false)
})

test("the commands explain themselves, with examples", () => {
  for (const command of [benchmark, compare, profile]) expect(command.help(undefined)).toContain("Examples:")
})
