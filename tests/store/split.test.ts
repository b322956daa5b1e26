import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { command as importCommand } from "../../src/cli/commands/import"
import { parseModelfile } from "../../src/formats/modelfile/parse"
import { createModel } from "../../src/store/create/create"
import { parseModelName } from "../../src/store/names"
import { failure } from "../support/failure"
import { fakeIo } from "../support/fakes/fake-io"
import { PullScene } from "../support/fakes/pull-scene"
import { manifestOf, ModelsFolder } from "../support/files/models-folder"
import { writeSplitTinyModel, writeTinyModel } from "../support/files/tiny-model"
import { tempFolder } from "../support/temp-folder"

let models: ModelsFolder
let source = ""
beforeEach(() => {
  models = new ModelsFolder()
  source = join(models.home, "source")
  mkdirSync(models.path)
  mkdirSync(source)
})
afterEach(() => models[Symbol.dispose]())

/** A model in two files of these names; the paths. */
function split(names: readonly [string, string], folder = source): readonly string[] {
  const paths = names.map((name) => join(folder, name))
  writeSplitTinyModel(paths, { layers: 1 })
  return paths
}

function create(from: string) {
  return createModel({
    store: models.store,
    name: parseModelName("made"),
    modelfile: parseModelfile(`FROM ${from}`),
    file: "Modelfile",
    folder: source,
    report() {},
  })
}

async function imported(file: string): Promise<void> {
  const environment = { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home }
  await importCommand.execute([file, "--name", "made"], fakeIo({ environment }))
}

/** The parameters of the whole model. */
async function wholeCount(): Promise<number> {
  const path = join(source, "whole.gguf")
  writeTinyModel(path, { layers: 1 })
  const { name } = await models.store.add(path)
  const details = await models.store.describe(name)
  return details.kind === "text" ? details.parameterCount : 0
}

const SPELLINGS: readonly (readonly [string, string])[] = [
  ["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"],
  ["BIG-00001-of-00002.GGUF", "BIG-00002-of-00002.GGUF"],
  ["Big-00001-OF-00002.gguf", "big-00002-of-00002.GGUF"],
]

describe.each(SPELLINGS)("a model in the files %s and %s", (first, second) => {
  test("is one in the models directory, with all of its parameters, and goes as one", async () => {
    const paths = split([first, second], models.path)
    const [model, ...others] = await models.store.list()
    expect(others).toEqual([])
    expect(model).toMatchObject({ name: first.slice(0, 3), path: paths[0] })
    const parameterCount = await wholeCount()
    expect(await models.store.describe("big")).toMatchObject({ parameterCount })
    expect((await models.store.remove("big")).paths).toEqual(paths)
  })

  test.each([0, 1])("is created whole out of part %d, under names that llama.cpp knows", async (part) => {
    const paths = split([first, second])
    await create(basename(paths[part] ?? ""))
    const parameterCount = await wholeCount()
    expect(await models.store.describe("made")).toMatchObject({ parameterCount })
    const { path } = await models.store.resolve("made")
    expect(basename(path)).toBe(`${first.slice(0, 3)}-00001-of-00002.gguf`)
    expect(await Bun.file(path.replace("-00001-", "-00002-")).exists()).toBeTrue()
  })

  test("is imported and copied whole", async () => {
    const [path = ""] = split([first, second])
    await imported(path)
    const { name } = await models.store.add(path)
    await models.store.copy(name, parseModelName("copied"))
    const ids = [await models.store.resolve("made"), await models.store.resolve("copied")].map(({ id }) => id)
    expect(ids[0]).toBe(ids[1] ?? "")
  })

  test("is not taken by halves, and the missing part is named", async () => {
    const [path = "", other = ""] = split([first, second])
    rmSync(other)
    const told = /part 2 of 2 \([Bb][Ii][Gg]-00002-(of|OF)-00002\.(gguf|GGUF)\) is missing/
    expect((await failure(create(basename(path)))).message).toMatch(told)
    expect((await failure(imported(path))).message).toMatch(told)
    const { name } = await models.store.add(path)
    expect((await failure(models.store.describe(name))).message).toMatch(told)
    await expect(models.store.copy(name, parseModelName("copied"))).rejects.toThrow(/00002-of-00002/i)
    expect(await models.names()).toEqual([name])
    expect(models.files("manifests")).toEqual([])
  })
})

describe("a first part that was renamed", () => {
  const TOLD = "it is part 1 of 2 of a split model, and part 2 is missing"

  function renamed(folder = source): string {
    const [first = "", second = ""] = split(["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"], folder)
    rmSync(second)
    const path = join(dirname(first), "big.gguf")
    renameSync(first, path)
    return path
  }

  test("is not created, imported or copied", async () => {
    const path = renamed()
    expect((await failure(create(path))).message).toContain(TOLD)
    expect((await failure(imported(path))).message).toContain(TOLD)
    const { name } = await models.store.add(path)
    expect((await failure(models.store.copy(name, parseModelName("copied")))).message).toContain(TOLD)
    expect(models.files("manifests")).toEqual([])
  })

  test("is told of when it is used from where it is, in the models directory and outside", async () => {
    renamed(models.path)
    expect((await failure(models.store.describe("big"))).message).toContain(TOLD)
    const { name } = await models.store.add(renamed())
    expect((await failure(models.store.describe(name))).message).toContain(TOLD)
  })

  test("is not installed, whoever made the manifest", async () => {
    const blob = await models.store.blobs.addFile(renamed())
    const manifest = manifestOf([{ name: "model.gguf", role: "model", ...blob }])
    const error = await failure(models.store.install(parseModelName("made"), manifest))
    expect(error).toMatchObject({ code: "invalid_model_file" })
    expect(error.message).toStartWith(`model 'made:latest': ${TOLD}`)
    expect(models.files("manifests")).toEqual([])
  })

  test("is not pulled", async () => {
    await using it = await PullScene.create()
    const bytes = await Bun.file(renamed()).bytes()
    it.hub.repositories["org/big"] = { files: { "big.gguf": bytes } }
    await expect(it.pull("org/big")).rejects.toThrow(TOLD)
    it.registry.publish("library/big:latest", { model: bytes })
    await expect(it.pull("big")).rejects.toThrow(TOLD)
    expect(await it.store.list()).toEqual([])
  })
})

describe("a part that is another one than its name says", () => {
  test("is told of", async () => {
    const [first = "", second = ""] = split(["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"])
    using folder = tempFolder()
    for (const [name, target] of [
      ["x-00001-of-00002.gguf", first],
      ["x-00002-of-00002.gguf", first],
    ] as const)
      symlinkSync(target, join(folder.path, name))
    expect((await failure(create(join(folder.path, "x-00001-of-00002.gguf")))).message).toContain(
      "x-00002-of-00002.gguf is part 1 of 2, where part 2 of 2 should be",
    )
    renameSync(second, join(source, "alone.gguf"))
    expect((await failure(create("alone.gguf"))).message).toContain(
      "it is part 2 of 2 of a split model, and part 1 is missing",
    )
    expect((await failure(models.store.add(join(source, "alone.gguf")))).message).toContain("it is a part")
  })

  test("does not count as a model of its own", async () => {
    const [, second = ""] = split(["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"], models.path)
    renameSync(second, join(models.path, "other.gguf"))
    expect(await models.names()).toEqual(["big"])
  })
})

describe("a pull of parts", () => {
  test("takes them in any case, and puts them together as llama.cpp wants them", async () => {
    await using it = await PullScene.create()
    const paths = split(["BIG-00001-of-00002.GGUF", "BIG-00002-of-00002.GGUF"])
    const [one = new Uint8Array(), two = new Uint8Array()] = await Promise.all(
      paths.map((path) => Bun.file(path).bytes()),
    )
    it.hub.repositories["org/big"] = {
      files: { "BIG-00001-of-00002.GGUF": one, "BIG-00002-of-00002.GGUF": two },
    }
    const { path } = await it.pull("org/big")
    expect(basename(path)).toBe("BIG-00001-of-00002.gguf")
    expect(await it.filesOf("org/big")).toHaveLength(2)
    await it.pull(`${it.hub.url}/org/big/resolve/main/BIG-00001-of-00002.GGUF`)
    expect((await it.store.resolve("BIG")).path).toBe(path)
    it.hub.repositories["org/half"] = { files: { "BIG-00001-of-00002.GGUF": one } }
    await expect(it.pull("org/half")).rejects.toThrow(
      "it has no complete GGUF file: BIG-00002-of-00002.GGUF is missing",
    )
    await expect(it.pull("org/half:big")).rejects.toThrow(
      "it has nothing called 'big' that is complete: BIG-00002-of-00002.GGUF is missing",
    )
  })
})

describe("a file with another case of its ending", () => {
  test("is a model", async () => {
    writeTinyModel(join(models.path, "Loud.GGUF"), { layers: 1 })
    expect(await models.names()).toEqual(["Loud"])
    expect(await models.store.describe("loud")).toMatchObject({ kind: "text", layers: 1 })
    expect((await models.store.add(join(models.path, "Loud.GGUF"))).name).toBe("Loud")
    await models.store.remove("loud")
    expect(models.files()).toEqual([])
  })

  test("beside one of the same name does not hide it, and is told of", async () => {
    writeTinyModel(join(models.path, "same.GGUF"), { layers: 1 })
    writeTinyModel(join(models.path, "same.gguf"), { layers: 2 })
    expect(await models.names()).toEqual(["same"])
    expect(await models.store.describe("same")).toMatchObject({ layers: 2 })
    expect(models.warnings).toMatchObject([
      { fields: { path: join(models.path, "same.GGUF"), reason: expect.stringContaining("same.gguf") } },
    ])
  })
})
