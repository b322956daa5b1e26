import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ManifestFile } from "../../../src/store/managed/manifest"
import { parseModelName } from "../../../src/store/names"
import { failure } from "../../support/failure"
import { manifestOf, ModelsFolder } from "../../support/files/models-folder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { writeTinyTtsModel } from "../../support/files/tiny-tts-model"

function withVoices(...names: readonly string[]): ModelsFolder {
  const models = new ModelsFolder()
  for (const name of names) writeTinyTtsModel(join(models.path, name))
  return models
}

describe("a voice whose folder was dropped in", () => {
  test("is a model, named by the folder", async () => {
    using models = withVoices("joe", "some/deep/amy")
    await writeTinyModel(join(models.path, "text.gguf"), { layers: 1 })
    const list = await models.store.list()
    expect(list.map(({ name, kind }) => [name, kind]).sort()).toEqual([
      ["joe", "tts"],
      ["some/deep/amy", "tts"],
      ["text", "text"],
    ])
    const joe = await models.store.resolve("JOE")
    const folder = join(models.path, "joe")
    const sizes = readdirSync(folder).map((name) => readFileSync(join(folder, name)).length)
    expect(joe).toMatchObject({ path: folder, sizeBytes: sizes.reduce((sum, size) => sum + size) })
    expect(await models.store.describe("joe")).toMatchObject({
      ...joe,
      sampleRate: 16_000,
      capabilities: ["speech"],
      files: [{ name: "model.onnx" }, { name: "tokens.txt" }],
    })
  })

  test("is found with its graphs one level down, as on Hugging Face", async () => {
    using models = withVoices("author/kokoro/onnx")
    const folder = join(models.path, "author/kokoro")
    writeFileSync(join(folder, "config.json"), "{}")
    mkdirSync(join(folder, "voices"))
    writeFileSync(join(folder, "voices/af_heart.bin"), "")
    expect(await models.names()).toEqual(["author/kokoro"])
    expect((await models.store.resolve("author/kokoro")).path).toBe(folder)
  })

  test("is another version once one of its files changes", async () => {
    using models = withVoices("joe")
    const before = await models.store.resolve("joe")
    writeFileSync(join(models.path, "joe/LICENSE"), "MIT License\n\nPermission is hereby granted")
    const after = await models.store.resolve("joe")
    expect(after.id).not.toBe(before.id)
    expect(await models.store.describe("joe")).toMatchObject({ files: [{ name: "LICENSE" }, {}, {}] })
  })

  test("that cannot be used is not listed, and says why when it is asked for", async () => {
    using models = withVoices("joe", "bad")
    rmSync(join(models.path, "bad/tokens.txt"))
    expect(await models.names()).toEqual(["joe"])
    const error = await failure(models.store.resolve("bad"))
    expect(error.code).toBe("model_load_failed")
    expect(error.message).toContain("tokens.txt")
    // An installed model of that name can be used.
    await models.install("bad", { "m.gguf": "content" })
    expect((await models.store.resolve("bad")).name).toBe("bad:latest")
  })

  test("can be named by its path, wherever it is", async () => {
    using models = new ModelsFolder()
    writeTinyTtsModel(join(models.home, "elsewhere/joe"))
    expect(await models.store.add(join(models.home, "elsewhere/joe"))).toMatchObject({
      name: "joe",
      kind: "tts",
    })
    expect(await models.store.describe("joe")).toMatchObject({ kind: "tts" })
    expect((await failure(models.store.remove("joe"))).message).toContain("outside the models directory")
    mkdirSync(join(models.home, "bad"))
    writeFileSync(join(models.home, "bad/model.onnx"), "nothing")
    expect((await failure(models.store.add(join(models.home, "bad")))).code).toBe("invalid_model_file")
  })

  test("is deleted as a whole, and copied as a whole", async () => {
    using models = withVoices("joe")
    const copy = await models.store.copy("joe", parseModelName("amy"))
    expect(copy).toMatchObject({ name: "amy:latest", kind: "tts" })
    await models.store.remove("joe")
    expect(existsSync(join(models.path, "joe"))).toBeFalse()
    expect(await models.names()).toEqual(["amy:latest"])
    expect(await models.store.describe("amy")).toMatchObject({ kind: "tts", sampleRate: 16_000 })
    await models.store.remove("amy")
    expect(models.files()).toEqual([])
  })
})

describe("an installed voice", () => {
  async function installVoice(models: ModelsFolder): Promise<void> {
    const folder = join(models.home, "voice")
    writeTinyTtsModel(folder)
    const files: ManifestFile[] = []
    for (const name of readdirSync(folder)) {
      files.push({ name, role: "file", ...(await models.store.blobs.addFile(join(folder, name))) })
    }
    await models.store.install(
      parseModelName("a/joe:medium"),
      manifestOf(files, { kind: "tts", licenses: ["CC0"] }),
    )
  }

  test("is described by its files, and by what came along", async () => {
    using models = new ModelsFolder()
    await installVoice(models)
    expect(await models.store.describe("a/joe:medium")).toMatchObject({
      name: "a/joe:medium",
      kind: "tts",
      sampleRate: 16_000,
      license: "CC0",
      capabilities: ["speech"],
    })
  })

  test("whose files are something else cannot be described", async () => {
    using models = new ModelsFolder()
    await models.install("joe", { "a.txt": "A", "b.txt": "B" }, { kind: "tts" })
    expect((await failure(models.store.describe("joe"))).message).toContain(
      "its files are not those of a tts model",
    )
  })
})

describe("voices as Piper's authors publish them, beside each other", () => {
  test("are a model each, however they are put there", async () => {
    using models = new ModelsFolder()
    // Unusable ones, which is enough to see that each is looked at alone.
    for (const folder of ["", "two"]) {
      mkdirSync(join(models.path, folder), { recursive: true })
      for (const name of ["en_US-joe", "en_US-amy"]) {
        writeTinyTtsModel(join(models.home, "made"))
        renameSync(join(models.home, "made/model.onnx"), join(models.path, folder, `${name}.onnx`))
        writeFileSync(join(models.path, folder, `${name}.onnx.json`), `{"phoneme_id_map": {}}`)
      }
    }
    for (const name of ["en_US-joe", "two/en_US-amy"]) {
      const error = await failure(models.store.resolve(name))
      expect(error.code).toBe("model_load_failed")
      expect(error.message).not.toContain("several voices")
    }
  })
})
