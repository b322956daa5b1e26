import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { version } from "../../package.json"
import { writeTinyModel } from "../support/files/tiny-model"
import { installBinary, runProgram } from "../support/real/binary"
import { tempFolder } from "../support/temp-folder"

/** The largest executable that is acceptable, in bytes. */
const SIZE_LIMIT = 205e6

const folder = tempFolder()
let xllm = ""
const model = join(folder.path, "tiny.gguf")

beforeAll(async () => {
  xllm = await installBinary(folder.path)
  await writeTinyModel(model)
})
afterAll(() => folder[Symbol.dispose]())

/** A home folder of its own, and a command that makes the executable load llama.cpp. */
function newHome(name: string) {
  const home = join(folder.path, name)
  mkdirSync(home)
  const ask = () =>
    runProgram([xllm, "run", model, "hello", "--max-tokens", "4", "--temperature", "0"], {
      cwd: folder.path,
      env: { HOME: home },
    })
  return { ask, runtime: join(home, ".xllm/runtime") }
}

/** Every extracted file, below the runtime folder. */
function extractedFiles(runtime: string): string[] {
  const names = readdirSync(runtime, { recursive: true, encoding: "utf8" })
  return names.filter((name) => statSync(join(runtime, name)).isFile() && !name.endsWith(".lock")).sort()
}

describe("the executable, in an empty environment", () => {
  test("is not larger than 205 MB", () => {
    expect(statSync(xllm).size).toBeLessThan(SIZE_LIMIT)
  })

  test("says its version and llama.cpp's", async () => {
    const { stdout, exitCode } = await runProgram([xllm, "--version"], { cwd: folder.path })
    expect(stdout).toMatch(new RegExp(`^xllm ${version}\nllama.cpp v\\d+\\.\\d+\\.\\d+\n$`))
    expect(exitCode).toBe(0)
  })

  test("shows its help", async () => {
    const { stdout, stderr, exitCode } = await runProgram([xllm, "--help"], { cwd: folder.path })
    expect(stdout).toContain("xllm COMMAND")
    expect([stderr, exitCode]).toEqual(["", 0])
  })

  test("finds a home without HOME", async () => {
    const { stderr, exitCode } = await runProgram([xllm, "list"], { cwd: folder.path })
    expect(stderr).not.toContain("Error")
    expect(exitCode).toBe(0)
  })

  test("is not changed by files of the folder that it runs in", async () => {
    const hostile = join(folder.path, "hostile")
    mkdirSync(hostile)
    writeFileSync(join(hostile, "bunfig.toml"), 'preload = ["./evil.ts"]\n')
    writeFileSync(join(hostile, "evil.ts"), 'console.log("evil")\n')
    writeFileSync(join(hostile, ".env"), "XLLM_PORT=nonsense\n")
    writeFileSync(join(hostile, "package.json"), "{ not json")
    const { stdout, stderr, exitCode } = await runProgram([xllm, "--version"], { cwd: hostile })
    expect(stdout).toStartWith("xllm ")
    expect([stderr, exitCode]).toEqual(["", 0])
  })
})

describe("the first use of llama.cpp", () => {
  test("extracts its libraries, later uses find them", async () => {
    const { ask, runtime } = newHome("first")
    const first = await ask()
    expect([first.stderr, first.exitCode]).toEqual(["", 0])
    expect(first.stdout.trim()).not.toBe("")
    const files = extractedFiles(runtime)
    expect(files.filter((name) => /libllama\.|libggml-base\.|shim\.c/.test(name)).length).toBe(3)
    const times = files.map((name) => statSync(join(runtime, name)).mtimeMs)
    expect((await ask()).stdout).toBe(first.stdout)
    expect(files.map((name) => statSync(join(runtime, name)).mtimeMs)).toEqual(times)
  })

  test("repairs a damaged cache", async () => {
    const { ask, runtime } = newHome("damaged")
    const first = await ask()
    const library = join(runtime, extractedFiles(runtime).find((name) => /libllama\./.test(name)) ?? "")
    const size = statSync(library).size
    truncateSync(library, size / 2)
    const second = await ask()
    expect([second.stdout, second.stderr, second.exitCode]).toEqual([first.stdout, "", 0])
    expect(statSync(library).size).toBe(size)
  })

  test("works for two processes at the same time", async () => {
    const { ask, runtime } = newHome("two")
    const [one, two] = await Promise.all([ask(), ask()])
    expect([one.stderr, one.exitCode, two.stderr, two.exitCode]).toEqual(["", 0, "", 0])
    expect(two.stdout).toBe(one.stdout)
    expect(
      readdirSync(runtime, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tmp")),
    ).toEqual([])
  })

  test("says what to do where the runtime folder cannot be written", async () => {
    const home = join(folder.path, "home-of-a-file")
    mkdirSync(home)
    writeFileSync(join(home, "runtime"), "")
    const { stdout, stderr, exitCode } = await runProgram([xllm, "run", model, "hello"], {
      cwd: folder.path,
      env: { XLLM_HOME: home },
    })
    expect([stdout, exitCode]).toEqual(["", 1])
    expect(stderr).toMatch(/^Error: .*home-of-a-file\/runtime.*XLLM_HOME/m)
  })
})
