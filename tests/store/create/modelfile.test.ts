import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { parseModelfile } from "../../../src/formats/modelfile/parse"
import { createModel } from "../../../src/store/create/create"
import { modelfileOf } from "../../../src/store/create/modelfile"
import { parseModelName } from "../../../src/store/names"
import { writeGguf } from "../../support/files/gguf-writer"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyAdapter } from "../../support/files/tiny-adapter"
import { writeTinyProjector } from "../../support/vision/tiny-projectors"
import { writeTinyModel } from "../../support/files/tiny-model"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const models = new ModelsFolder()
const folder = join(models.home, "work")

beforeAll(async () => {
  mkdirSync(folder)
  await writeTinyModel(join(folder, "model.gguf"), { layers: 1 })
  writeTinyAdapter(join(folder, "lora.gguf"), { layers: 1 })
  writeTinyProjector(join(folder, "mmproj.gguf"), "idefics3", { projection: 64 })
  for (const part of [1, 2])
    writeGguf(
      join(folder, `split-0000${part}-of-00002.gguf`),
      [
        ["general.architecture", "string", "llama"],
        ["split.no", "u32", part - 1],
      ],
      [],
    )
})
afterAll(() => models[Symbol.dispose]())

async function create(name: string, text: string): Promise<void> {
  await createModel({
    store: models.store,
    name: parseModelName(name),
    modelfile: parseModelfile(text),
    file: "Modelfile",
    folder,
    report() {},
  })
}

describe("the Modelfile of a model", () => {
  async function idOf(name: string): Promise<string> {
    return (await models.store.resolve(name)).id
  }

  async function modelfile(name: string): Promise<string> {
    const manifest = await models.store.manifest(name)
    const { path } = await models.store.resolve(name)
    if (manifest === undefined) throw new Error("it is not installed")
    return modelfileOf(manifest, path, (digest) => models.store.blobs.pathOf(digest))
  }

  test.each<[what: string, text: string]>([
    ["weights alone", "FROM model.gguf"],
    [
      "everything",
      `FROM model.gguf
FROM mmproj.gguf
ADAPTER lora.gguf
TEMPLATE """{{ .System }}
"{{ .Prompt }}" """
SYSTEM """He said:
"so"
"""
PARAMETER temperature 0.25
PARAMETER stop "User: "
PARAMETER stop "\n"
PARAMETER keep_alive 5m
PARAMETER use_mmap false
PARAMETER adapter_scale 0.5
MESSAGE user hi
MESSAGE assistant "  hello  "
LICENSE """MIT
License"""
REQUIRES 0.14.0`,
    ],
    ["several parts", "FROM split-00001-of-00002.gguf\nSYSTEM x"],
  ])("makes the same model again: %s", async (_, text) => {
    await create("original", text)
    await create("again", await modelfile("original"))
    expect(await idOf("again")).toBe(await idOf("original"))
    await create("derived", "FROM original\nPARAMETER seed 1")
    await create("again", await modelfile("derived"))
    expect(await idOf("again")).toBe(await idOf("derived"))
  })

  test("has what is not supported as comments", async () => {
    await models.install(
      "with-renderer",
      { "m.gguf": "x" },
      { renderer: "r", parser: "p", parameters: { temperature: 99, mystery: 1, seed: 4 } },
    )
    expect(await modelfile("with-renderer")).toMatch(
      /^# not supported yet: RENDERER r\n# not supported yet: PARSER p\nFROM \/.*\nPARAMETER seed 4\n$/,
    )
  })
})
