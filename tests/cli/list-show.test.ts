import { describe, expect, test } from "bun:test"
import { mkdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { command as list } from "../../src/cli/list"
import { command as show } from "../../src/cli/show"
import { fakeIo } from "../support/fake-io"
import { tempFolder } from "../support/temp-folder"
import { writeTinyModel } from "../support/tiny-model"
import { runXllm } from "../support/xllm"

/** A home with two models; `new` is newer. */
async function home() {
  const folder = tempFolder()
  const models = join(folder.path, "models")
  mkdirSync(models)
  for (const [name, days] of [
    ["old", 3],
    ["new", 2],
  ] as const) {
    const path = join(models, `${name}.gguf`)
    await writeTinyModel(path, { license: "MIT License\n\nCopyright somebody\nmore" })
    const then = new Date(Date.now() - days * 86_400_000 - 60_000)
    utimesSync(path, then, then)
  }
  return {
    ...folder,
    models,
    environment: { XLLM_HOME: folder.path },
    [Symbol.dispose]: folder[Symbol.dispose],
  }
}

describe("list", () => {
  test("is a table of the models, newest first", async () => {
    using place = await home()
    const { out, err, code } = await runXllm(["list"], place)
    expect({ err, code }).toEqual({ err: "", code: 0 })
    const [heading = "", ...rows] = out.trimEnd().split("\n")
    expect(heading.split(/ {4,}/)).toEqual(["NAME", "ID", "SIZE", "MODIFIED"])
    expect(rows.map((row) => row.split(/ {4,}/)).map(([name, id, , age]) => [name, id?.length, age])).toEqual(
      [
        ["new", 12, "2 days ago"],
        ["old", 12, "3 days ago"],
      ],
    )
  })

  test("takes a prefix, in any case", async () => {
    using place = await home()
    const io = fakeIo(place)
    await list.execute(["NE"], io)
    expect(io.out).toMatch(/^NAME.*\nnew .*\n$/)
  })

  test("is JSON for programs", async () => {
    using place = await home()
    const io = fakeIo(place)
    await list.execute(["--json"], io)
    expect(JSON.parse(io.out)).toMatchObject({
      models: [
        { name: "new", path: join(place.models, "new.gguf"), size_bytes: expect.any(Number) },
        { name: "old" },
      ],
    })
  })

  test("looks in another folder where told to", async () => {
    using place = await home()
    const io = fakeIo()
    await list.execute(["--models-dir", place.models], io)
    expect(io.out).toContain("old")
  })

  test("says where it looked when there is nothing", async () => {
    using folder = tempFolder()
    const io = fakeIo({ environment: { XLLM_HOME: folder.path } })
    await list.execute([], io)
    expect(io.out).toBe("NAME    ID    SIZE    MODIFIED\n")
    expect(io.err).toContain(`no models in ${join(folder.path, "models")}`)
  })
})

describe("show", () => {
  test.each(["a name", "a path"])("takes %s, and tells what the model is", async (what) => {
    using place = await home()
    const io = fakeIo(place)
    await show.execute([what === "a name" ? "new" : join(place.models, "new.gguf")], io)
    expect(io.out).toMatch(
      /^ {2}Model\n {4}architecture +llama\n {4}parameters +\S+\n {4}context length +4096\n/,
    )
    expect(io.out).toMatch(/\n {4}quantization +F32\n\n {2}Capabilities\n {4}completion\n/)
    expect(io.out).toMatch(/\n {2}License\n {4}MIT License\n {4}Copyright somebody\n {4}\.\.\.\n/)
  })

  test("-v adds every key of the file", async () => {
    using place = await home()
    const [short, long] = [fakeIo(place), fakeIo(place)]
    await show.execute(["new"], short)
    await show.execute(["new", "-v"], long)
    expect(long.out).toMatch(/\n {2}Metadata\n {4}general\.architecture +llama\n/)
    expect(short.out).not.toContain("general.architecture")
  })

  test("--template and --license print nothing else", async () => {
    using place = await home()
    const [template, license] = [fakeIo(place), fakeIo(place)]
    await show.execute(["new", "--template"], template)
    await show.execute(["new", "--license"], license)
    expect(template.out).toContain("<|im_start|>")
    expect(template.out).not.toContain("architecture")
    expect(license.out).toBe("MIT License\n\nCopyright somebody\nmore\n")
  })

  test("--effective tells what it would be loaded with, and who says so", async () => {
    using place = await home()
    const io = fakeIo({ ...place, environment: { ...place.environment, XLLM_CTX: "512" } })
    await show.execute(["new", "--effective"], io)
    expect(io.out).toMatch(/^ctx +512 +set by XLLM_CTX\n/)
    expect(io.out).toMatch(/\nkeep_alive +5m +built in\n/)
  })

  test("--template of a model without one is an error", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "bare.gguf")
    await writeTinyModel(path, { chatTemplate: null })
    await expect(show.execute([path, "--template"], fakeIo())).rejects.toThrow(
      "the file of model 'bare' has no chat template",
    )
  })

  test("--json tells all of it", async () => {
    using place = await home()
    const io = fakeIo(place)
    await show.execute(["new", "--json"], io)
    expect(JSON.parse(io.out)).toMatchObject({
      name: "new",
      architecture: "llama",
      context_length: 4096,
      metadata: { "general.architecture": "llama" },
    })
  })

  test("an unknown model is named, with the nearest", async () => {
    using place = await home()
    const { err, code } = await runXllm(["show", "odl"], place)
    expect({ err, code }).toEqual({ err: "Error: model 'odl' not found; did you mean 'old'?\n", code: 1 })
  })

  test("a file that is no model is named", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "text.gguf")
    await Bun.write(path, "this is no model, but long enough to look like one")
    const { err, code } = await runXllm(["show", path])
    expect(err).toBe(`Error: ${path}: it is not a GGUF file\n`)
    expect(code).toBe(1)
  })
})
