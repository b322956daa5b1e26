import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as cp } from "../../../src/cli/commands/cp"
import { command as rm } from "../../../src/cli/commands/rm"
import { loadedModel, startChatServer } from "../../support/chat-server"
import { fakeIo } from "../../support/fakes/fake-io"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyImageModel } from "../../support/files/tiny-image-model"
import { writeTinyModel } from "../../support/files/tiny-model"

const ioFor = (models: ModelsFolder, host = "127.0.0.1:1") =>
  fakeIo({ environment: { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home, XLLM_HOST: host } })

describe("rm", () => {
  test("deletes every model that is named, and says so", async () => {
    using models = new ModelsFolder()
    for (const name of ["a", "b:c", "d"]) await models.install(name, { "m.gguf": name })
    const io = ioFor(models)
    await rm.execute(["a", "B:C"], io)
    expect(io.out).toBe("deleted 'a:latest' (installed)\ndeleted 'b:c' (installed)\n")
    expect(await models.names()).toEqual(["d:latest"])
  })

  test("deletes nothing where one of them is not there", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "m.gguf": "content" })
    await expect(rm.execute(["a", "x-y-z"], ioFor(models))).rejects.toThrow("model 'x-y-z' not found")
    expect(await models.names()).toEqual(["a:latest"])
  })

  test("takes a model that is named twice for one", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "m.gguf": "content" })
    const io = ioFor(models)
    await rm.execute(["a", "A:latest"], io)
    expect(io.out).toBe("deleted 'a:latest' (installed)\n")
  })

  test("says of a dropped-in file where it was, and what its name means from then on", async () => {
    using models = new ModelsFolder()
    await models.install("small", { "m.gguf": "content" })
    const path = join(models.path, "Small.gguf")
    await writeTinyModel(path, { layers: 1 })
    const io = ioFor(models)
    await rm.execute(["small"], io)
    expect(io.out).toBe(`deleted 'Small' (${path})\n`)
    expect(io.err).toBe("'small' is now the model 'small:latest', which was not deleted\n")
    expect(existsSync(path)).toBeFalse()
    await rm.execute(["small"], io)
    expect(io.out).toEndWith("deleted 'small:latest' (installed)\n")
    expect(await models.names()).toEqual([])
  })

  test("names no files that were not there", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path)
    const path = join(models.path, "dreams.safetensors")
    writeTinyImageModel(path)
    const io = ioFor(models)
    await rm.execute(["dreams"], io)
    expect(io.out).toBe(`deleted 'dreams' (${path})\n`)
  })

  test("does not touch a running model, unless it is forced to and may stop it", async () => {
    using models = new ModelsFolder()
    const { name, id } = await models.install("a", { "m.gguf": "content" })
    using server = startChatServer({ loaded: [{ ...loadedModel, name, id }] })
    await expect(rm.execute(["a"], ioFor(models, server.url))).rejects.toThrow(
      `model 'a:latest' is running at ${server.url}; stop it with 'xllm stop a:latest', or pass --force`,
    )
    expect(await models.names()).toEqual(["a:latest"])
    await rm.execute(["a", "--force"], ioFor(models, server.url))
    expect(server.stopped).toEqual(["a:latest"])
    expect(await models.names()).toEqual([])
  })

  test("deletes an installed model whose manifest is damaged, with its files", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "m.gguf": "only of this one", "shared.txt": "of both" })
    await models.install("b", { "m.gguf": "of the other", "shared.txt": "of both" })
    const path = join(models.path, "manifests/registry.ollama.ai/library/a/latest.json")
    writeFileSync(path, `${readFileSync(path, "utf8")}}`)
    const blobs = () => models.files("blobs").length
    expect(blobs()).toBe(3)
    const io = ioFor(models)
    await rm.execute(["A"], io)
    expect(io.out).toBe("deleted 'A:latest' (installed, its manifest was damaged)\n")
    expect(existsSync(path)).toBeFalse()
    expect([await models.names(), blobs()]).toEqual([["b:latest"], 2])
    await expect(rm.execute(["a"], ioFor(models))).rejects.toThrow("model 'a' not found")
  })

  test("deletes a link that leads to nothing", async () => {
    using models = new ModelsFolder()
    const path = join(models.path, "gone.gguf")
    mkdirSync(models.path)
    symlinkSync("/no/where.gguf", path)
    const io = ioFor(models)
    await rm.execute(["gone"], io)
    expect(io.out).toBe(`deleted 'gone' (${path})\n`)
    expect(readdirSync(models.path)).not.toContain("gone.gguf")
  })

  test("does not delete a damaged manifest whose model is running", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "m.gguf": "content" })
    writeFileSync(join(models.path, "manifests/registry.ollama.ai/library/a/latest.json"), "{}")
    using server = startChatServer({ loaded: [{ ...loadedModel, name: "a:latest", id: "0123" }] })
    await expect(rm.execute(["A"], ioFor(models, server.url))).rejects.toThrow(
      "model 'A:latest' is running at",
    )
  })

  test("does not mind a server that runs another model of that name", async () => {
    using models = new ModelsFolder()
    const { name } = await models.install("a", { "m.gguf": "content" })
    using server = startChatServer({ loaded: [{ ...loadedModel, name, id: "0123" }] })
    await rm.execute(["a"], ioFor(models, server.url))
    expect(await models.names()).toEqual([])
  })
})

describe("cp", () => {
  test("gives a model one more name, and says so", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "m.gguf": "content" })
    const io = ioFor(models)
    await cp.execute(["a", "mine/b:c"], io)
    expect(io.out).toBe("copied 'a' to 'mine/b:c'\n")
    expect(await models.names()).toEqual(["a:latest", "mine/b:c"])
  })

  test("installs a file that is named by its path", async () => {
    using models = new ModelsFolder()
    const path = join(models.home, "x.gguf")
    await writeTinyModel(path, { layers: 1 })
    await cp.execute([path, "mine"], ioFor(models))
    expect(existsSync(path)).toBeTrue()
    expect(await models.names()).toEqual(["mine:latest"])
  })

  test("says that a dropped-in file still has the name before the copy", async () => {
    using models = new ModelsFolder()
    const path = join(models.path, "Small.gguf")
    await models.install("a", { "m.gguf": "content" })
    await writeTinyModel(path, { layers: 1 })
    const io = ioFor(models)
    await cp.execute(["a", "small"], io)
    expect(io.err).toBe(`'small' still means ${path}; the new model is called 'small:latest'\n`)
    await cp.execute(["a", "small:latest"], io)
    expect(io.err.split("\n")).toHaveLength(2)
  })

  test.each(["../x", "/tmp/x", "https://example.com/x", "a b", "x:"])(
    "refuses the target %p",
    async (target) => {
      using models = new ModelsFolder()
      await models.install("a", { "m.gguf": "content" })
      await expect(cp.execute(["a", target], ioFor(models))).rejects.toThrow("invalid model name")
    },
  )

  test("of an unknown model fails", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path)
    await expect(cp.execute(["a", "b"], ioFor(models))).rejects.toThrow("model 'a' not found")
  })
})
