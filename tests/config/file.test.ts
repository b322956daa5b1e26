import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { findConfigFile, readConfigFile } from "../../src/config/file"
import { tempFolder } from "../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

let count = 0

function write(name: string, text: string): string {
  const home = join(folder.path, String(count++))
  mkdirSync(home)
  writeFileSync(join(home, name), text)
  return join(home, name)
}

/** The same file in both languages. */
const bothFormats = (content: unknown) => [
  write("config.yaml", Bun.YAML.stringify(content, null, 2)),
  write("config.json", JSON.stringify(content)),
]

async function refusal(path: string): Promise<string> {
  try {
    await readConfigFile(path)
  } catch (error) {
    return String(error).replaceAll(path, "FILE")
  }
  return "accepted"
}

describe("a file says", () => {
  test.each<[unknown, Record<string, unknown>]>([
    [{}, {}],
    [null, {}],
    [{ server: null }, {}],
    [{ server: { port: 8080 } }, { "server.port": 8080 }],
    [{ models_dir: "/models" }, { models_dir: "/models" }],
    [{ queue: { timeout: "5m", limit: 3 } }, { "queue.timeout": 300, "queue.limit": 3 }],
    [{ queue: { timeout: null } }, { "queue.timeout": null }],
    [{ shutdown_timeout: 1.5 }, { shutdown_timeout: 1.5 }],
    [{ limits: { memory: "8GiB" } }, { "limits.memory": 8 * 1024 ** 3 }],
    [{ limits: { memory: 1e9 } }, { "limits.memory": 1e9 }],
    [
      { defaults: { ctx: "16k", gpu_layers: "auto" } },
      { "defaults.ctx": 16384, "defaults.gpu_layers": null },
    ],
    [
      { defaults: { flash_attention: "on", mlock: true } },
      { "defaults.flash_attention": "on", "defaults.mlock": true },
    ],
    [{ gpu: { simulate: ["24GiB", 1000] } }, { "gpu.simulate": [24 * 1024 ** 3, 1000] }],
    [{ gpu: { simulate: [] } }, { "gpu.simulate": [] }],
    [
      { server: { api_keys: ["a", "b"], cors_origins: ["*"] } },
      { "server.api_keys": ["a", "b"], "server.cors_origins": ["*"] },
    ],
    [
      { aliases: { "gpt-4o": "qwen3:0.6b", "tts-1.5": "joe" } },
      {
        aliases: new Map([
          ["gpt-4o", "qwen3:0.6b"],
          ["tts-1.5", "joe"],
        ]),
      },
    ],
    [{ aliases: { a: "b", b: "c" } }, { aliases: new Map(Object.entries({ a: "b", b: "c" })) }],
    [{ aliases: null }, { aliases: new Map() }],
    [{ aliases: {} }, { aliases: new Map() }],
    [
      { models: { "qwen2.5:7b": { keep_alive: "forever", tensor_split: [3, 1.5] }, plain: null } },
      { "models.qwen2.5:7b.keep_alive": null, "models.qwen2.5:7b.tensor_split": [3, 1.5] },
    ],
  ])("%j", async (content, expected) => {
    for (const path of bothFormats(content)) {
      expect(Object.fromEntries((await readConfigFile(path)).values)).toEqual(expected)
    }
  })
})

describe("a file is refused", () => {
  test.each<[unknown, string]>([
    [{ server: { prot: 1 } }, "unknown setting 'server.prot' in FILE; did you mean 'server.port'?"],
    [{ sever: { port: 1 } }, "unknown setting 'sever' in FILE; did you mean 'server'?"],
    [{ ctx: 1 }, "unknown setting 'ctx' in FILE; did you mean 'defaults.ctx'?"],
    [{ frobnicate: 1 }, "unknown setting 'frobnicate' in FILE"],
    [{ aliases: { a: "b", b: "c", c: "A:latest" } }, "aliases in FILE has a cycle: a → b → c → A:latest"],
    [{ aliases: { x: "y", a: "a" } }, "aliases in FILE has a cycle: a → a"],
    [{ aliases: { x: "a", a: "b", b: "a" } }, "aliases in FILE has a cycle: a → b → a"],
    [
      { aliases: { a: "x", "A:latest": "y" } },
      "aliases in FILE has both 'a' and 'A:latest', which are the same name",
    ],
    [{ aliases: { a: 1 } }, "aliases in FILE must be names and the models that they stand for"],
    [{ aliases: { a: { b: "c" } } }, "aliases in FILE must be names and the models that they stand for"],
    [{ aliases: { a: "" } }, "aliases in FILE must be names and the models that they stand for"],
    [{ aliases: { "a\u0007": "b" } }, "aliases in FILE must be names and the models that they stand for"],
    [{ aliases: ["a"] }, "aliases in FILE must be names and the models that they stand for"],
    [{ aliases: { ["x".repeat(513)]: "b" } }, "aliases in FILE must be names"],
    [
      { aliases: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`a${index}`, "b"])) },
      "aliases in FILE must be names",
    ],
    [
      { aliases: { "gpt-4o": "qwen3:0.6b" }, models: { "GPT-4o": { ctx: 1000 } } },
      "models.GPT-4o in FILE is an alias of 'qwen3:0.6b'; put the settings below models.qwen3:0.6b",
    ],
    [
      { models: { m: { kepalive: 1 } } },
      "unknown setting 'models.m.kepalive' in FILE; did you mean 'models.m.keep_alive'?",
    ],
    [{ server: { port: "http" } }, 'server.port in FILE must be a whole number from 0 to 65535, got "http"'],
    [{ server: { port: 70000 } }, "server.port in FILE must be a whole number from 0 to 65535, got 70000"],
    [
      { server: { port: "1000k" } },
      "server.port in FILE must be a whole number from 0 to 65535, got '1000k'",
    ],
    [{ server: { port: null } }, "server.port in FILE must be a whole number from 0 to 65535, got null"],
    [{ server: 5 }, "server in FILE must be a section with settings, got 5"],
    [[1], "FILE must be a section with settings, got [1]"],
    ["text", 'FILE must be a section with settings, got "text"'],
    [{ models: { m: 5 } }, "models.m in FILE must be a section with settings, got 5"],
    [{ defaults: { mlock: "yes" } }, 'defaults.mlock in FILE must be true or false, got "yes"'],
    [
      { log: { level: "loud" } },
      'log.level in FILE must be one of debug, info, warn, error, off, got "loud"',
    ],
    [
      { models: { "a/b": { ctx: "long" } } },
      'models.a/b.ctx in FILE must be a whole number from 1 to 16777216, or auto, got "long"',
    ],
    [
      { server: { cors_origins: "*" } },
      "server.cors_origins in FILE must be a list, each item a string, or none, got",
    ],
    [
      { server: { cors_origins: ["a", 1] } },
      'server.cors_origins in FILE must be a list, each item a string, or none, got ["a",1]',
    ],
    [
      { queue: { timeout: -1 } },
      "queue.timeout in FILE must be a time, such as 90 (seconds), 5m or 1h30m, or none, got -1",
    ],
    [
      { limits: { memory: "much" } },
      "limits.memory in FILE must be a size, such as 1000000 (bytes), 500MB or 8GiB, or none",
    ],
    [{ server: { host: "a b" } }, "server.host in FILE must be HOST, HOST:PORT or a URL, got 'a b'"],
  ])("%j", async (content, words) => {
    for (const path of bothFormats(content)) {
      expect(await refusal(path)).toStartWith(`UsageError: ${words}`)
    }
  })

  test("with everything that is wrong in it", async () => {
    const [path = ""] = bothFormats({ server: { port: "x" }, queue: { timeot: 1 } })
    const words = await refusal(path)
    expect(words).toContain("server.port in FILE must be")
    expect(words).toContain("did you mean 'queue.timeout'?")
  })

  test("without its keys in the message", async () => {
    for (const path of bothFormats({ server: { api_keys: ["secret-1", 2] } })) {
      const words = await refusal(path)
      expect(words).toContain("server.api_keys in FILE must be a list")
      expect(words).not.toContain("secret")
    }
  })

  test.each([
    ["config.yaml", "server: [", "invalid YAML in FILE, line 1: "],
    ["config.json", '{"server":\n}', "invalid JSON in FILE, line 2: "],
    ["config.json", "server: {}", "invalid JSON in FILE, line 1: "],
  ])("%s with %p", async (name, text, words) => {
    expect(await refusal(write(name, text))).toStartWith(`UsageError: ${words}`)
  })

  test("that is a folder", async () => {
    expect(await refusal(folder.path)).toBe(
      "FileFailed: cannot read the configuration file FILE: it is a folder, not a file",
    )
  })

  test("that has no end", async () => {
    expect(await refusal("/dev/zero")).toContain("larger than the limit for a configuration file (1 MiB)")
  })

  test("that is something else, without all of it in the message", async () => {
    const words = await refusal(write("config.yaml", "x".repeat(5000)))
    expect(words).toStartWith('UsageError: FILE must be a section with settings, got "xxx')
    expect(words.length).toBeLessThan(300)
  })
})

describe("the file is", () => {
  const path = write("other.yaml", "")
  const home = join(folder.path, "home")
  mkdirSync(home)
  const environment = { XLLM_HOME: home }

  test("none, where there is none", () => {
    expect(findConfigFile(undefined, environment)).toBeUndefined()
  })

  test("the one that the flag names, then the variable's, then the one in the home", () => {
    const usual = join(home, "config.json")
    writeFileSync(usual, "{}")
    expect(findConfigFile(undefined, environment)).toBe(usual)
    expect(findConfigFile(undefined, { ...environment, XLLM_CONFIG: path })).toBe(path)
    expect(findConfigFile(path, { ...environment, XLLM_CONFIG: "/nowhere" })).toBe(path)
  })

  test("not chosen between two", () => {
    const both = join(folder.path, "both")
    mkdirSync(both)
    for (const name of ["config.yaml", "config.json"]) writeFileSync(join(both, name), "{}")
    expect(() => findConfigFile(undefined, { XLLM_HOME: both })).toThrow(
      `there are both ${both}/config.yaml and ${both}/config.json; keep one of them`,
    )
  })

  test.each([
    ["/nowhere.yaml", {}, "/nowhere.yaml (named by --config): no such file or folder"],
    [undefined, { XLLM_CONFIG: "/no.json" }, "/no.json (named by XLLM_CONFIG): no such file or folder"],
  ])("refused where it is named and missing: %p %p", (named, variables, words) => {
    expect(() => findConfigFile(named, variables)).toThrow(words)
  })
})

test("a file that is far too large is refused before it is parsed", async () => {
  const path = write("config.yaml", `# ${"x".repeat(1024 ** 2)}\n`)
  expect(await refusal(path)).toBe(
    "UsageError: FILE is larger than the limit for a configuration file (1 MiB)",
  )
})
