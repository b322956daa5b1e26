import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeSplitTinyModel, writeTinyModel } from "../support/files/tiny-model"
import { writeTinyTtsModel } from "../support/files/tiny-tts-model"
import { Installation } from "../support/installation"
import { until } from "../support/until"

let xllm: Installation
beforeAll(async () => {
  xllm = await Installation.create()
  rmSync(join(xllm.home, ".xllm"), { recursive: true })
  writeTinyModel(join(xllm.folder, "tiny.gguf"), { contextLength: 1234 })
})
afterAll(() => xllm[Symbol.dispose]())

/** Nobody listens there. */
const NO_SERVER = { XLLM_HOST: "127.0.0.1:1" }

async function run(...argv: readonly string[]): Promise<string> {
  const { out, err, code } = await xllm.run(argv, { environment: NO_SERVER })
  expect({ err, code }).toEqual({ err: "", code: 0 })
  return out
}

async function failed(...argv: readonly string[]): Promise<string> {
  const { out, err, code } = await xllm.run(argv, { environment: NO_SERVER })
  expect({ out, code }).toEqual({ out: "", code: 1 })
  return err
}

const blobs = () => readdirSync(join(xllm.models, "blobs"))

/** Names, in the order of the list. */
async function names(...argv: readonly string[]): Promise<readonly string[]> {
  const { models } = JSON.parse(await run("list", "--json", ...argv)) as { models: { name: string }[] }
  return models.map(({ name }) => name)
}

describe("the executable in a clean home", () => {
  test("lists nothing, and makes nothing", async () => {
    const { out, err, code } = await xllm.run(["list"], { environment: NO_SERVER })
    expect({ out, code }).toEqual({ out: "NAME    TYPE    ID    SIZE    MODIFIED\n", code: 0 })
    expect(err).toContain("no models in")
    expect(existsSync(join(xllm.home, ".xllm"))).toBeFalse()
  })

  test("installs, lists, shows, copies and deletes", async () => {
    expect(await run("cp", "./tiny.gguf", "mine:q4")).toBe("copied './tiny.gguf' to 'mine:q4'\n")
    expect(await run("list")).toMatch(
      /^NAME +TYPE +ID +SIZE +MODIFIED\nmine:q4 +text +[0-9a-f]{12} +\d[^ ]* [KM]B +(Less than a|\d+) seconds? ago\n$/,
    )
    expect(await run("show", "MINE:Q4")).toMatch(/\n {4}context length +1234\n/)
    expect(await run("cp", "mine:q4", "someone/else")).toBe("copied 'mine:q4' to 'someone/else'\n")
    expect(blobs()).toHaveLength(1)
    expect((await names()).toSorted()).toEqual(["mine:q4", "someone/else:latest"])
    expect(await names("hf:some")).toEqual(["someone/else:latest"])
    expect(await run("rm", "mine:q4")).toBe("deleted 'mine:q4' (installed)\n")
    expect(blobs()).toHaveLength(1)
    expect(await run("show", "someone/else", "--json")).toContain(`"context_length": 1234`)
    expect(await run("rm", "someone/else")).toBe("deleted 'someone/else:latest' (installed)\n")
    expect(blobs()).toEqual([])
    expect(await names()).toEqual([])
  })

  test("says what is wrong, and changes nothing then", async () => {
    await run("cp", "./tiny.gguf", "mine")
    expect(await failed("rm", "mine", "mien")).toBe("Error: model 'mien' not found; did you mean 'mine'?\n")
    expect(await failed("cp", "mine", "../../etc/x")).toContain("it is a path")
    expect(await failed("cp", "nothing", "x")).toBe(
      "Error: model 'nothing' not found; there is only 'mine'\n",
    )
    expect(await run("show", "mine", "--system")).toBe("")
    expect(await names()).toEqual(["mine:latest"])
    await run("rm", "mine")
  })

  test("knows a voice and a text model that are put into the folder, and rm deletes them", async () => {
    writeTinyTtsModel(join(xllm.models, "joe"))
    writeTinyModel(join(xllm.models, "dropped.gguf"))
    expect((await names()).toSorted()).toEqual(["dropped", "joe"])
    expect(await run("show", "joe")).toMatch(/^ {2}Model\n {4}family +/)
    const [joe, dropped] = [join(xllm.models, "joe"), join(xllm.models, "dropped.gguf")]
    expect(await run("rm", "joe", "dropped")).toBe(`deleted 'joe' (${joe})\ndeleted 'dropped' (${dropped})\n`)
    expect(existsSync(join(xllm.models, "joe"))).toBeFalse()
    expect(existsSync(join(xllm.folder, "tiny.gguf"))).toBeTrue()
  })

  test("lists the same with a damaged cache, or without one", async () => {
    await run("cp", "./tiny.gguf", "mine")
    const before = await run("list", "--json")
    const index = join(xllm.models, "index.sqlite")
    expect(existsSync(index)).toBeTrue()
    writeFileSync(index, "damaged".repeat(1000))
    expect(await run("list", "--json")).toBe(before)
    rmSync(index)
    expect(await run("list", "--json")).toBe(before)
    await run("rm", "mine")
  })
})

describe("a running server", () => {
  test("sees at its next request what commands have changed", async () => {
    await run("cp", "./tiny.gguf", "one")
    await using server = await xllm.serve()
    expect((await server.chat({ model: "one", max_tokens: 1 })).status).toBe(200)
    expect((await server.chat({ model: "two", max_tokens: 1 })).status).toBe(404)
    await run("cp", "one", "two")
    expect((await server.chat({ model: "TWO:latest", max_tokens: 1 })).status).toBe(200)
    renameSync(join(xllm.folder, "tiny.gguf"), join(xllm.models, "tiny.gguf"))
    expect((await server.chat({ model: "tiny", max_tokens: 1 })).status).toBe(200)
    const { data } = (await (await server.get("/v1/models")).json()) as { data: { id: string }[] }
    expect(data.map(({ id }) => id).toSorted()).toEqual(["one:latest", "tiny", "two:latest"])
  })

  test("answers by an alias as its model, which is loaded once, and split in whatever case", async () => {
    const parts = ["BIG-00001-of-00002.GGUF", "BIG-00002-of-00002.GGUF"]
    writeSplitTinyModel(parts.map((name) => join(xllm.models, name)))
    writeFileSync(
      join(xllm.home, ".xllm/config.json"),
      JSON.stringify({ aliases: { "gpt-4o": "big:latest" } }),
    )
    await using server = await xllm.serve()
    for (const model of ["gpt-4o", "GPT-4O:latest", "big", "BIG:latest"]) {
      const answer = await server.chat({ model, max_tokens: 2 })
      expect(answer.status).toBe(200)
      expect(await answer.json()).toMatchObject({ model })
    }
    expect((await server.loaded()).map(({ name }) => name)).toEqual(["BIG"])
    const { out, code } = await xllm.run([
      "run",
      "gpt-4o",
      "hi",
      "--json",
      "--max-tokens",
      "2",
      "--host",
      server.url,
    ])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ model: "BIG" })
    const stopped = await xllm.run(["stop", "gpt-4o", "--host", server.url])
    expect(stopped).toEqual({ out: "", err: "", code: 0 })
    await until(async () => (await server.loaded()).length === 0)
    rmSync(join(xllm.home, ".xllm/config.json"))
  })

  test("keeps what it runs, until rm is forced", async () => {
    writeTinyModel(join(xllm.models, "busy.gguf"))
    await using server = await xllm.serve()
    await server.chat({ model: "busy", max_tokens: 1 })
    const refused = await xllm.run(["rm", "busy", "--host", server.url])
    expect(refused.err).toContain("model 'busy' is running at")
    expect(refused.err).toContain("--force")
    const forced = await xllm.run(["rm", "busy", "--host", server.url, "--force"])
    const path = join(xllm.models, "busy.gguf")
    expect(forced).toEqual({ out: `deleted 'busy' (${path})\n`, err: "", code: 0 })
    await until(async () => (await server.loaded()).length === 0)
    expect((await server.chat({ model: "busy", max_tokens: 1 })).status).toBe(404)
  })

  test("finds nothing by paths, URLs and hosts", async () => {
    await using server = await xllm.serve()
    for (const model of [
      "/etc/passwd",
      "../tiny",
      "https://example.com/x",
      "evil.example:5000/a/b",
      "file:///x",
    ]) {
      const response = await server.chat({ model, max_tokens: 1 })
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ error: { code: "model_not_found" } })
    }
  })
})
