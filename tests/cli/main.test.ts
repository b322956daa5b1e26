import { describe, expect, test } from "bun:test"
import { commands } from "../../src/cli/main"
import { version } from "../../package.json"
import { describedCommands } from "../support/command-table"
import { tempFolder } from "../support/temp-folder"
import { runXllm } from "../support/xllm"

const described = await describedCommands()

const usage = { code: 0, err: "" }

describe("xllm", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]], [["help", "--help"]]])(
    "%p lists every command",
    async (argv) => {
      const result = await runXllm(argv)
      expect(result).toMatchObject(usage)
      for (const name of Object.keys(commands)) expect(result.out).toMatch(new RegExp(`^  ${name} +\\w`, "m"))
      expect(result.out).not.toContain("worker")
    },
  )

  test.each([
    ["draw", "image"],
    ["ls", "list"],
    ["start", "serve"],
  ])("%s is another name of %s", async (alias, name) => {
    expect(await runXllm([alias, "--help"])).toEqual(await runXllm([name, "--help"]))
  })

  test.each(["--version", "-v"])("%s tells the versions", async (flag) => {
    const { out, code } = await runXllm([flag])
    expect(out).toMatch(new RegExp(`^xllm ${version}\\nllama.cpp \\S+\\n$`))
    expect(code).toBe(0)
  })

  test.each([
    [["srve"], "unknown command 'srve'; did you mean 'serve'?"],
    [["frobnicate"], "unknown command 'frobnicate'; see 'xllm --help'"],
    [["--versoin"], "unknown flag '--versoin'; did you mean '--version'?"],
    [["help", "lst"], "unknown command 'lst'; did you mean 'list'?"],
    [["worker"], "worker needs a KIND"],
    [["worker", "nope"], "there is no worker of kind 'nope'"],
    [["constructor"], "unknown command 'constructor'; see 'xllm --help'"],
    [["list", "--jsn"], "unknown flag --jsn; did you mean --json?"],
    [["serve", "--gpu-layer", "3"], "unknown flag --gpu-layer; did you mean --gpu-layers?"],
    [["serve", "--port", "70000"], "--port must be a whole number from 0 to 65535, got '70000'"],
    [["run", "model", "hi", "--temperature", "9"], "--temperature must be a number from 0 to 2, got '9'"],
    [["show"], "show needs MODEL; see 'xllm show --help'"],
    [["list", "a", "b"], "list does not accept 'b'; see 'xllm list --help'"],
    [
      ["show", "m", "--json", "--template"],
      "give one of --template, --parameters, --effective, --system, --license, --modelfile, --json",
    ],
  ])("%p is refused in one line", async (argv, message) => {
    expect(await runXllm(argv)).toEqual({ out: "", err: `Error: ${message}\n`, code: 1 })
  })

  test("a variable with an impossible value is refused by its name", async () => {
    const { err, code } = await runXllm(["serve"], { environment: { XLLM_SLOTS: "many" } })
    expect(err).toBe("Error: XLLM_SLOTS must be a whole number from 1 to 256, got 'many'\n")
    expect(code).toBe(1)
  })
})

describe("an environment variable that means nothing", () => {
  const readers = described.filter(
    ({ name, flags }) => name !== "serve" && flags.some((flag) => flag.name === "config"),
  )

  test.each(readers.map(({ name, words }) => [name, words] as const))(
    "is told by %s",
    async (name, words) => {
      using home = tempFolder()
      const environment = {
        XLLM_HOME: home.path,
        XLLM_SLTOS: "3",
        XLLM_PORT: "1",
        XLLM_OLLAMA_REGISTRY: "http://x.invalid",
      }
      const needed = words.flatMap(({ isOptional }) => (isOptional ? [] : ["/no/such/thing"]))
      const { err } = await runXllm([name, ...needed], { environment })
      expect(err).toStartWith("warning: unknown environment variable XLLM_SLTOS; did you mean XLLM_SLOTS?\n")
    },
  )

  test("is not told where nothing is done", async () => {
    expect((await runXllm(["list", "--help"], { environment: { XLLM_SLTOS: "3" } })).err).toBe("")
  })
})

describe.each(Object.keys(commands))("xllm %s --help", (name) => {
  test("goes to stdout and has an example", async () => {
    const { out, err, code } = await runXllm([name, "--help"])
    expect({ err, code }).toEqual(usage)
    expect(out).toStartWith(`${commands[name]?.summary}\n`)
    expect(out).toContain(`Usage:\n  xllm ${name}`)
    expect(out).toMatch(new RegExp(`Examples:\\n  .*xllm ${name}`))
    expect(out).toContain("-h, --help")
    expect(out).not.toContain("\x1b")
  })
})

test.each([60, 80, undefined])("the lines of a help text fit a terminal of %p columns", async (columns) => {
  for (const entry of Object.values(commands)) {
    const { command } = await entry.load()
    const tooLong = command
      .help(columns)
      .split("\n")
      .filter((line) => line.length > (columns ?? 100))
    expect(tooLong).toEqual([])
  }
})
