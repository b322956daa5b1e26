import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation } from "../support/installation"

let here: Installation
let there: Installation
beforeAll(async () => {
  here = await Installation.create()
  there = await Installation.create()
  writeTinyModel(join(here.folder, "tiny.gguf"))
  writeFileSync(
    join(here.folder, "Modelfile"),
    "FROM ./tiny.gguf\nSYSTEM Be brief.\nPARAMETER seed 7\nPARAMETER temperature 0\nPARAMETER num_predict 6\n",
  )
  await run(here, "create", "tale:v1", "-f", "Modelfile")
  expect(await run(here, "export", "tale:v1", "tale.tar.zst")).toBe("exported 'tale:v1' to 'tale.tar.zst'\n")
})
afterAll(() => {
  here[Symbol.dispose]()
  there[Symbol.dispose]()
})

/** Nobody listens there. */
const environment = { XLLM_HOST: "127.0.0.1:1" }

async function run(at: Installation, ...argv: readonly string[]): Promise<string> {
  const { out, err, code } = await at.run(argv, { environment })
  expect({ argv, err, code }).toEqual({ argv, err: expect.any(String), code: 0 })
  return out
}

async function id(at: Installation, model: string): Promise<string> {
  return (JSON.parse(await run(at, "show", model, "--json")) as { id: string }).id
}

/** SHA-256 sums of all blobs, which are their names too. */
function sums(at: Installation): readonly string[] {
  const folder = join(at.models, "blobs")
  return readdirSync(folder)
    .map((name) => {
      const sum = new Bun.CryptoHasher("sha256").update(readFileSync(join(folder, name))).digest("hex")
      expect(name).toBe(`sha256-${sum}`)
      return sum
    })
    .sort()
}

describe("a model goes from one home to another", () => {
  test("in a file: it answers the same, under the same name, with the same sums", async () => {
    const answer = await run(here, "run", "tale:v1", "hello")
    const [before, beforeSums] = [await id(here, "tale:v1"), sums(here)]
    expect(await run(here, "export", "tale:v1", "tale.tar.zst")).toBe(
      "exported 'tale:v1' to 'tale.tar.zst'\n",
    )
    await run(here, "rm", "tale:v1")
    expect(readdirSync(join(here.models, "blobs"))).toEqual([])

    expect(await run(here, "import", "tale.tar.zst")).toBe("imported 'tale:v1'\n")
    expect(await run(there, "import", join(here.folder, "tale.tar.zst"), "--name", "copy")).toBe(
      "imported 'copy:latest'\n",
    )
    for (const [at, name] of [
      [here, "tale:v1"],
      [there, "copy"],
    ] as const) {
      expect(await id(at, name)).toBe(before)
      expect(sums(at)).toEqual(beforeSums)
      expect(await run(at, "run", name, "hello")).toBe(answer)
    }
  })

  test("through a pipe", async () => {
    const pipe = `"${here.path}" export tale:v1 - | HOME="${there.home}" "${there.path}" import - --name piped`
    const env = { HOME: here.home, PATH: "/usr/bin:/bin" }
    expect(Bun.spawnSync(["sh", "-c", pipe], { cwd: here.folder, env }).exitCode).toBe(0)
    expect(await id(there, "piped")).toBe(await id(here, "tale:v1"))
  })

  test("and a server that runs there has it at its next request", async () => {
    await using server = await there.serve()
    const models = async () => {
      const { data } = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string }[] }
      return data.map((model) => model.id)
    }
    expect(await models()).not.toContain("late:latest")
    await run(there, "import", join(here.folder, "tale.tar.zst"), "--name", "late")
    expect(await models()).toContain("late:latest")
  })
})

describe("import", () => {
  test("takes a GGUF under its own name, and does not replace it unasked", async () => {
    expect(await run(here, "import", "tiny.gguf")).toBe("imported 'tiny:latest'\n")
    const { err, code } = await here.run(["import", "tale.tar.zst", "--name", "tiny"])
    expect({ err, code }).toEqual({
      err: "Error: a model 'tiny:latest' already exists; choose another with --name, or replace it with --force\n",
      code: 1,
    })
    await run(here, "import", "tale.tar.zst", "--name", "tiny", "--force")
    expect(await id(here, "tiny")).toBe(await id(here, "tale:v1"))
  })

  test.each([
    ["nothing.tar.zst", "cannot read nothing.tar.zst"],
    ["damaged.tar.zst", "nothing was installed"],
    ["text.txt", "nothing was installed"],
    ["-", "cannot be imported"],
  ])("refuses %s in a line", async (file, says) => {
    const archive = Uint8Array.from(readFileSync(join(here.folder, "tale.tar.zst")))
    archive[archive.length >> 1] = (archive[archive.length >> 1] ?? 0) ^ 0xff
    writeFileSync(join(here.folder, "damaged.tar.zst"), archive)
    writeFileSync(join(here.folder, "text.txt"), "hello")
    const { out, err, code } = await here.run(["import", file, "--name", "never"])
    expect({ out, code }).toEqual({ out: "", code: 1 })
    expect(err).toStartWith("Error: ")
    expect(err).toContain(says)
    expect(err.trimEnd().split("\n")).toHaveLength(1)
    expect((await here.run(["show", "never"])).code).toBe(1)
  })

  test("says what it wants", async () => {
    expect((await here.run(["import"])).err).toBe("Error: import needs a FILE, or --from-ollama\n")
    const { err } = await here.run(["import", "--from-ollama"])
    expect(err).toContain("no Ollama models found")
  })
})

describe("export", () => {
  test("leaves the old file where it cannot write a new one", async () => {
    writeFileSync(join(here.folder, "old"), "old")
    const { err, code } = await here.run(["export", "nobody", "old"])
    expect({ err, code }).toEqual({ err: expect.stringContaining("model 'nobody' not found"), code: 1 })
    expect(readFileSync(join(here.folder, "old"), "utf8")).toBe("old")
    const { err: elsewhere } = await here.run(["export", "tiny", "no/such/folder"])
    expect(elsewhere).toContain("cannot write no/such/folder")
    expect(existsSync(join(here.folder, "no"))).toBe(false)
  })
})
