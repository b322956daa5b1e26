import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as config } from "../../../src/cli/commands/config"
import { command as list } from "../../../src/cli/commands/list"
import { usableCores } from "../../../src/worker/cores"
import { fakeIo } from "../../support/fakes/fake-io"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const path = join(folder.path, "config.yaml")
writeFileSync(path, "server:\n  port: 8080\n  api_keys: [secret]\nmodels_dir: /nowhere\n")
const environment = { XLLM_HOME: folder.path, XLLM_QUEUE_TIMEOUT: "1m" }

async function run(...argv: string[]): Promise<string> {
  const io = fakeIo({ environment })
  await config.execute(argv, io)
  expect(io.err).toBe("")
  return io.out
}

describe("config", () => {
  test("shows each setting, its value and where that was said", async () => {
    const lines = (await run("--slots", "3")).split("\n").map((line) => line.split(/ {2,}/))
    expect(lines[0]).toEqual([`Configuration file: ${path}`])
    expect(lines[2]).toEqual(["SETTING", "VALUE", "FROM"])
    expect(lines).toContainEqual(["server.port", "8080", path])
    expect(lines).toContainEqual(["server.api_keys", "1 not shown", path])
    expect(lines).toContainEqual(["queue.timeout", "1m", "XLLM_QUEUE_TIMEOUT"])
    expect(lines).toContainEqual(["defaults.slots", "3", "--slots"])
    expect(lines).toContainEqual(["defaults.ctx", "auto (as trained, as far as memory allows)", "default"])
  })

  test("shows what is left to the program, where that is known", async () => {
    const lines = (await run("--log-file", "x.log")).split("\n").map((line) => line.split(/ {2,}/))
    const cores = usableCores()
    expect(lines).toContainEqual(["defaults.threads", `auto (${cores})`, "default"])
    expect(lines).toContainEqual(["defaults.threads_batch", `auto (${cores})`, "default"])
    expect(await run("--threads", "1")).toMatch(/^defaults\.threads_batch +auto \(1\) +default$/m)
    const other = join(folder.path, "other.yaml")
    writeFileSync(other, "models: { tiny: { threads: 3, threads_batch: auto } }")
    expect(await run("--config", other)).toMatch(/^models\.tiny\.threads_batch +auto \(3\) +/m)
    expect(lines).toContainEqual(["defaults.split_mode", "auto (layer)", "default"])
    expect(lines).toContainEqual(["limits.headroom", "auto (512MiB)", "default"])
    expect(lines).toContainEqual(["images.dir", `auto (${folder.path}/images)`, "default"])
    expect(lines).toContainEqual(["log.format", "auto (json)", "default"])
    expect(lines).toContainEqual([
      "limits.memory",
      expect.stringMatching(/^none \(\S+ .B are free\)$/),
      "default",
    ])
    const settings: unknown = JSON.parse(await run("--json"))
    expect(settings).toMatchObject({
      config_file: { path, default_path: path },
      "defaults.threads": { value: null, effective: cores, source: "default" },
      "limits.memory": { value: null, effective: expect.any(Number) },
      "limits.headroom": { value: null, effective: 512 * 1024 ** 2 },
    })
    expect(settings).not.toHaveProperty(["defaults.ctx", "effective"])
    expect(settings).not.toHaveProperty(["server.port", "effective"])
  })

  test("names the file that would be read where there is none", async () => {
    using home = tempFolder()
    const io = fakeIo({ environment: { XLLM_HOME: home.path } })
    await config.execute([], io)
    expect(io.out).toStartWith(`Configuration file: none (it would be ${home.path}/config.yaml)\n\nSETTING `)
    const json = fakeIo({ environment: { XLLM_HOME: home.path } })
    await config.execute(["--json"], json)
    expect(JSON.parse(json.out)).toMatchObject({
      config_file: { path: null, default_path: join(home.path, "config.yaml") },
      models_dir: { value: null, effective: join(home.path, "models") },
    })
  })

  test("prints JSON", async () => {
    const settings: unknown = JSON.parse(await run("--json"))
    expect(settings).toMatchObject({
      "queue.timeout": { value: 60, source: "environment", from: "XLLM_QUEUE_TIMEOUT" },
      "defaults.ctx": { value: null, source: "default", from: "default" },
    })
  })

  test("prints a schema that knows every section", async () => {
    const schema = JSON.parse(await run("--schema")) as { properties: Record<string, unknown> }
    expect(Object.keys(schema.properties).sort()).toEqual([
      "aliases",
      "defaults",
      "gpu",
      "images",
      "kv_disk",
      "limits",
      "log",
      "loras",
      "metrics",
      "models",
      "models_dir",
      "pgp",
      "profile",
      "pull",
      "pull_missing",
      "queue",
      "responses",
      "server",
      "shutdown_timeout",
      "vision",
    ])
    expect(schema).toMatchObject({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      additionalProperties: false,
      properties: { server: { properties: { port: { default: 32769 } } } },
    })
  })

  test("reads another file where one is named", async () => {
    const other = join(folder.path, "other.json")
    writeFileSync(other, '{"log":{"level":"debug"}}')
    const settings: unknown = JSON.parse(await run("--config", other, "--json"))
    expect(settings).toMatchObject({ "log.level": { value: "debug", from: other } })
  })
})

test("other commands read the file too", async () => {
  const io = fakeIo({ environment })
  await expect(list.execute([], io)).rejects.toThrow(`/nowhere (set by ${path}) does not exist`)
})

test("a wrong file is refused by each command that reads it", async () => {
  const wrong = join(folder.path, "wrong.yaml")
  writeFileSync(wrong, "server:\n  prot: 1\nqueue:\n  limit: many\n")
  for (const name of ["serve", "config", "list", "ps"]) {
    expect(await runXllm([name, "--config", wrong])).toEqual({
      out: "",
      err:
        `Error: unknown setting 'server.prot' in ${wrong}; did you mean 'server.port'?\n` +
        `       queue.limit in ${wrong} must be a whole number from 0 to 1000000, got "many"\n`,
      code: 1,
    })
  }
})

test("serve refuses to be reached by everybody", async () => {
  const { err, code } = await runXllm(["serve", "--host", "0.0.0.0"])
  expect(err).toBe(
    "Error: refusing to listen on 0.0.0.0 without an API key: " +
      "set XLLM_API_KEY (or server.api_keys), or pass --insecure\n",
  )
  expect(code).toBe(1)
})
