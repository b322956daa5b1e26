import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { planGguf } from "../../../src/convert/plan"
import { HfFolder } from "../../../src/convert/source/folder"
import { writeGgufModel } from "../../../src/formats/gguf/write"
import { parseModelfile } from "../../../src/formats/modelfile/parse"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { createModel } from "../../../src/store/create/create"
import { parseModelName } from "../../../src/store/names"
import { failure } from "../../support/failure"
import { ModelsFolder } from "../../support/files/models-folder"
import { jobsIn } from "../../support/hf/job"
import { TINY_FOLDERS, writeTinyFolder } from "../../support/hf/tiny-folders"
import { writeWideModel } from "../../support/hf/wide-model"

const models = new ModelsFolder()
afterAll(() => models[Symbol.dispose]())
const place = models.path
const source = join(place, "../tiny-hf")
const make = TINY_FOLDERS["llama"]
if (make !== undefined) writeTinyFolder(source, make())

async function create(name: string, text: string, quantize?: string) {
  await createModel({
    store: models.store,
    name: parseModelName(name),
    modelfile: parseModelfile(text),
    file: "Modelfile",
    folder: join(place, ".."),
    ...(quantize !== undefined && { quantize }),
    runJob: jobsIn(join(place, "../runtime")),
    report: () => {},
  })
  return await models.store.resolve(name)
}

function leftovers(): readonly string[] {
  const folder = join(place, "tmp")
  return existsSync(folder) ? readdirSync(folder) : []
}

describe("a model made from", () => {
  test("a folder from Hugging Face is converted", async () => {
    const { path } = await create("converted", "FROM ./tiny-hf\nSYSTEM Be brief.")
    expect(readGgufHeader(path).metadata.get("general.architecture")).toBe("llama")
    expect(leftovers()).toEqual([])
  })

  test("a GGUF with --quantize has smaller weights", async () => {
    writeWideModel(join(place, "../wide.gguf"))
    const { path } = await create("small", "FROM ./wide.gguf", "q4_k_m")
    expect(readGgufHeader(path).metadata.get("general.file_type")).toBe(15)
    expect(leftovers()).toEqual([])
  })

  test("another model with --quantize keeps all but the weights", async () => {
    await create("base", "FROM ./wide.gguf\nSYSTEM Be brief.")
    await create("smaller", "FROM base", "q8_0")
    const manifest = await models.store.manifest("smaller")
    expect(manifest?.system).toBe("Be brief.")
    expect(manifest?.files.map(({ role }) => role)).toEqual(["model"])
  })

  test("a model of several files with --quantize becomes one", async () => {
    if (make === undefined) throw new Error("no folder")
    const folder = join(place, "../split")
    mkdirSync(folder)
    await using plan = await planGguf(await HfFolder.open(source), { outType: "f32" })
    const shardBytes = Math.ceil(plan.bytes / 3)
    const paths = await writeGgufModel(join(folder, "m.gguf"), plan.fields, plan.tensors, { shardBytes })
    expect(paths.length).toBeGreaterThan(2)
    await create("split", `FROM ./split`)
    const { path } = await create("joined", "FROM split", "q8_0")
    expect(readGgufHeader(path).tensors.length).toBe(plan.tensors.length)
    expect(leftovers()).toEqual([])
  })

  test("a folder with a link that leads out of it is refused", async () => {
    const folder = join(place, "../linked-hf")
    if (make !== undefined) writeTinyFolder(folder, make())
    writeFileSync(join(place, "../secret"), "{}")
    symlinkSync(join(place, "../secret"), join(folder, "added_tokens.json"))
    expect((await failure(create("linked", "FROM ./linked-hf"))).message).toContain("leads out of the folder")
  })
})
