import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as create } from "../../../src/cli/commands/create"
import { command as exportCommand } from "../../../src/cli/commands/export"
import { command as importCommand } from "../../../src/cli/commands/import"
import { InvalidModelFile } from "../../../src/errors/model"
import { fakeIo } from "../../support/fakes/fake-io"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeSplitTinyModel, writeTinyModel } from "../../support/files/tiny-model"
import { writeTinyTtsModel } from "../../support/files/tiny-tts-model"

const ioFor = (models: ModelsFolder) =>
  fakeIo({ environment: { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home } })

async function imported(models: ModelsFolder, ...argv: readonly string[]): Promise<string> {
  const io = ioFor(models)
  await importCommand.execute(argv, io)
  return io.out
}

const TAKEN = "a model 'mine:latest' already exists; choose another with --name, or replace it with --force"

describe("importing", () => {
  test("the same file again under the same name is a success, and changes nothing", async () => {
    using models = new ModelsFolder()
    const path = join(models.home, "x.gguf")
    writeTinyModel(path, { layers: 1 })
    expect(await imported(models, path, "--name", "mine")).toBe("imported 'mine:latest'\n")
    const first = await models.store.resolve("mine")
    expect(await imported(models, path, "--name", "MINE")).toBe("imported 'mine:latest'\n")
    expect(await models.store.resolve("mine")).toEqual(first)
    expect(models.files("tmp")).toEqual([])
  })

  test("a voice or an archive again is one too", async () => {
    using models = new ModelsFolder()
    const voice = join(models.home, "joe")
    writeTinyTtsModel(voice)
    const archive = join(models.home, "joe.tar.zst")
    for (let time = 0; time < 2; time++) {
      expect(await imported(models, voice)).toBe("imported 'joe:latest'\n")
      await exportCommand.execute(["joe", archive], ioFor(models))
      expect(await imported(models, archive)).toBe("imported 'joe:latest'\n")
    }
  })

  test("another model does not replace it, unless that is forced", async () => {
    using models = new ModelsFolder()
    const [one, sameSize, larger] = ["one", "same-size", "larger"].map((name) =>
      join(models.home, `${name}.gguf`),
    )
    writeTinyModel(one ?? "", { layers: 1 })
    writeTinyModel(sameSize ?? "", { layers: 1, seed: 2 })
    writeTinyModel(larger ?? "", { layers: 2 })
    await imported(models, one ?? "", "--name", "mine")
    const { id } = await models.store.resolve("mine")
    const before = models.files()
    for (const path of [sameSize, larger]) {
      await expect(imported(models, path ?? "", "--name", "mine")).rejects.toThrow(TAKEN)
      expect(models.files()).toEqual(before)
    }
    expect((await models.store.resolve("mine")).id).toBe(id)
    await imported(models, larger ?? "", "--name", "mine", "--force")
    expect((await models.store.resolve("mine")).id).not.toBe(id)
  })

  test("does not replace what the user has made out of the same file", async () => {
    using models = new ModelsFolder()
    const path = join(models.home, "x.gguf")
    writeTinyModel(path, { layers: 1 })
    writeFileSync(join(models.home, "Modelfile"), "FROM ./x.gguf\nSYSTEM Be brief.\n")
    await create.execute(["mine", "-f", join(models.home, "Modelfile")], ioFor(models))
    await expect(imported(models, path, "--name", "mine")).rejects.toThrow(TAKEN)
    expect((await models.store.manifest("mine"))?.system).toBe("Be brief.")
  })

  test("a file that is no model is refused by its path, once, and names no Modelfile", async () => {
    using models = new ModelsFolder()
    const path = join(models.home, "old.gguf")
    writeFileSync(path, new Uint8Array([...new TextEncoder().encode("GGUF"), 1, 0, 0, 0]))
    await expect(imported(models, path)).rejects.toThrow(
      new InvalidModelFile(path, "GGUF version 1 is not supported (2 and 3 are)"),
    )
    const half = join(models.home, "big-00001-of-00002.gguf")
    writeTinyModel(half)
    await expect(imported(models, half)).rejects.toThrow(
      new InvalidModelFile(half, "part 2 of 2 (big-00002-of-00002.gguf) is missing"),
    )
  })

  test("a split model calls it as its parts are, without their numbers", async () => {
    using models = new ModelsFolder()
    const paths = ["big-00001-of-00002.GGUF", "big-00002-of-00002.GGUF"].map((name) =>
      join(models.home, name),
    )
    writeSplitTinyModel(paths, { layers: 1 })
    expect(await imported(models, paths[1] ?? "")).toBe("imported 'big:latest'\n")
  })
})
