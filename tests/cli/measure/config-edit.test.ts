import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { writeSettings } from "../../../src/cli/measure/config-edit"
import { tempFolder } from "../../support/temp-folder"

const SETTINGS = [
  { name: "threads", value: 6, reason: "8 is 12 % slower" },
  { name: "threads_batch", value: 8, reason: "6 is 20 % slower" },
]

async function edited(name: string, before: string | undefined) {
  using folder = tempFolder()
  const path = join(folder.path, name)
  if (before !== undefined) await Bun.write(path, before)
  const backup = await writeSettings(path, "qwen3:4b", SETTINGS)
  expect(readdirSync(folder.path).some((file) => file.endsWith(".part"))).toBe(false)
  return { text: await Bun.file(path).text(), backup: backup && (await Bun.file(backup).text()) }
}

describe("measured settings", () => {
  test("make a new file where there is none", async () => {
    expect(await edited("config.yaml", undefined)).toEqual({
      text: 'models:\n  "qwen3:4b":\n    threads: 6   # 8 is 12 % slower\n    threads_batch: 8   # 6 is 20 % slower\n',
      backup: undefined,
    })
  })

  test("leave all other lines and comments as they are, and the former file beside it", async () => {
    const before = `# mine
server:
  port: 1234 # not 8080
models:
    other:
        ctx: 4096
    "qwen3:4b": # the usual one
        # fewer were slower
        threads: 4
        ctx: 8192
log:
  level: info
`
    const { text, backup } = await edited("config.yaml", before)
    expect(backup).toBe(before)
    expect(text).toBe(`# mine
server:
  port: 1234 # not 8080
models:
    other:
        ctx: 4096
    "qwen3:4b": # the usual one
        threads_batch: 8   # 6 is 20 % slower
        # fewer were slower
        threads: 6   # 8 is 12 % slower
        ctx: 8192
log:
  level: info
`)
  })

  test("are added to a list of models, and to a file without one", async () => {
    const models = await edited("config.yaml", "models:\n  a:\n    ctx: 1\n")
    expect(Bun.YAML.parse(models.text)).toEqual({
      models: { a: { ctx: 1 }, "qwen3:4b": { threads: 6, threads_batch: 8 } },
    })
    const none = await edited("config.yaml", "server:\n  port: 1")
    expect(Bun.YAML.parse(none.text)).toEqual({
      server: { port: 1 },
      models: { "qwen3:4b": { threads: 6, threads_batch: 8 } },
    })
  })

  test("are written into JSON", async () => {
    const { text } = await edited("config.json", '{"models":{"qwen3:4b":{"ctx":9}},"log":{}}')
    expect(JSON.parse(text)).toEqual({
      models: { "qwen3:4b": { ctx: 9, threads: 6, threads_batch: 8 } },
      log: {},
    })
  })

  test.each(["models: {a: {ctx: 1}}\n", 'models:\n  "qwen3:4b": {ctx: 1}\n'])(
    "do not touch a file of another layout: %p",
    async (before) => {
      using folder = tempFolder()
      const path = join(folder.path, "config.yaml")
      await Bun.write(path, before)
      await expect(writeSettings(path, "qwen3:4b", SETTINGS)).rejects.toThrow()
      expect(await Bun.file(path).text()).toBe(before)
      expect(existsSync(`${path}.bak`)).toBe(false)
    },
  )
})
