import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as cp } from "../../src/cli/commands/cp"
import { command as exportCommand } from "../../src/cli/commands/export"
import { command as list } from "../../src/cli/commands/list"
import { command as rm } from "../../src/cli/commands/rm"
import { command as show } from "../../src/cli/commands/show"
import type { Aliases } from "../../src/lib/aliases"
import { createStore } from "../../src/store"
import { failure } from "../support/failure"
import { fakeIo } from "../support/fakes/fake-io"
import { PullScene, tinyModelBytes } from "../support/fakes/pull-scene"
import { ModelsFolder } from "../support/files/models-folder"
import { writeTinyModel } from "../support/files/tiny-model"
import { tempFolder } from "../support/temp-folder"

const aliases = (entries: Readonly<Record<string, string>>): Aliases => new Map(Object.entries(entries))

/** A folder with an installed model and one that was dropped in, and other names for them. */
async function scene(entries: Readonly<Record<string, string>>) {
  const models = new ModelsFolder()
  await models.installTiny("qwen3:0.6b")
  writeTinyModel(join(models.path, "Small.gguf"), { layers: 1, seed: 3 })
  let current = aliases(entries)
  const store = createStore({ modelsFolder: models.path, aliases: () => current })
  const change = (next: Readonly<Record<string, string>>) => void (current = aliases(next))
  return { models, store, change, [Symbol.dispose]: () => models[Symbol.dispose]() }
}

describe("an alias", () => {
  test("is resolved by the rule for names, in itself and in what it stands for", async () => {
    using it = await scene({ "gpt-4o": "QWEN3:0.6B", "openai/tiny": "small", mini: "GPT-4O:latest" })
    for (const name of ["gpt-4o", "GPT-4o", "gpt-4o:latest", "mini", "Mini:LATEST"]) {
      expect((await it.store.resolve(name)).name).toBe("qwen3:0.6b")
    }
    expect((await it.store.resolve("OpenAI/tiny")).name).toBe("Small")
    expect((await it.store.describe("gpt-4o")).name).toBe("qwen3:0.6b")
    expect((await it.store.contents("gpt-4o")).name).toBe("qwen3:0.6b")
  })

  test("is told with its model in lists and descriptions", async () => {
    using it = await scene({ "gpt-4o": "qwen3:0.6b", mini: "gpt-4o", tiny: "Small", none: "other" })
    const known = (await it.store.list()).map(({ name, aliases: others }) => [name, others])
    expect(Object.fromEntries(known)).toEqual({ "qwen3:0.6b": ["gpt-4o", "mini"], Small: ["tiny"] })
    expect((await it.store.describe("small")).aliases).toEqual(["tiny"])
    expect((await it.store.resolve("small")).aliases).toBeUndefined()
  })

  test("gives way to a model of its name, and that is told", async () => {
    using it = await scene({ small: "qwen3:0.6b", "Qwen3:0.6b": "small", none: "other" })
    expect((await it.store.resolve("small")).name).toBe("Small")
    expect((await it.store.resolve("qwen3:0.6B")).name).toBe("qwen3:0.6b")
    expect(await it.store.aliases()).toMatchObject([
      { alias: "small", hiddenBy: "Small" },
      { alias: "Qwen3:0.6b", hiddenBy: "qwen3:0.6b" },
      { alias: "none", target: "other", hiddenBy: undefined, model: undefined },
    ])
    expect((await it.store.list()).flatMap((model) => model.aliases ?? [])).toEqual([])
  })

  test("of a model that is not there says so", async () => {
    using it = await scene({ "gpt-4o": "mini", mini: "llama3" })
    expect(await failure(it.store.resolve("GPT-4o"))).toMatchObject({
      code: "model_not_found",
      message: "model 'GPT-4o' not found: it is an alias of 'llama3', which does not exist",
    })
  })

  test("counts as soon as the configuration says it", async () => {
    using it = await scene({})
    expect((await failure(it.store.resolve("gpt-4o"))).code).toBe("model_not_found")
    it.change({ "gpt-4o": "qwen3:0.6b" })
    expect((await it.store.resolve("gpt-4o")).name).toBe("qwen3:0.6b")
    it.change({ "gpt-4o": "small" })
    expect((await it.store.resolve("gpt-4o")).name).toBe("Small")
  })

  test("that would go in a circle ends the search", async () => {
    using it = await scene({ a: "b", b: "a" })
    expect((await failure(it.store.resolve("a"))).code).toBe("model_not_found")
  })

  test("is a near miss for a name that is nearly it", async () => {
    using it = await scene({ "whisper-1": "small" })
    expect((await failure(it.store.resolve("wisper-1"))).message).toContain("did you mean 'whisper-1'?")
  })
})

describe("on the command line an alias", () => {
  async function withConfig(entries: Readonly<Record<string, string>>) {
    const it = await scene(entries)
    writeFileSync(join(it.models.home, "config.json"), JSON.stringify({ aliases: entries }))
    const environment = {
      XLLM_HOME: it.models.home,
      XLLM_MODELS_DIR: it.models.path,
      XLLM_HOST: "127.0.0.1:1",
    }
    const run = async (command: typeof list, ...argv: readonly string[]) => {
      const io = fakeIo({ environment })
      await command.execute(argv, io)
      return { out: io.out, err: io.err }
    }
    return { ...it, run, [Symbol.dispose]: () => it[Symbol.dispose]() }
  }

  test("is listed behind its model, and what is amiss with others is told", async () => {
    using it = await withConfig({ "gpt-4o": "qwen3:0.6b", small: "gpt-4o", none: "other" })
    const { out, err } = await it.run(list)
    expect(out.split("\n").map((line) => line.replace(/ {2,}.*/, ""))).toEqual(
      expect.arrayContaining(["NAME", "Small", "qwen3:0.6b", "gpt-4o -> qwen3:0.6b"]),
    )
    expect(err).toBe(
      "the alias 'small' has no effect: the model 'Small' takes precedence\n" +
        "the alias 'none' stands for 'other', which does not exist\n",
    )
    expect(JSON.parse((await it.run(list, "gpt", "--json")).out)).toMatchObject({
      models: [{ name: "qwen3:0.6b", aliases: ["gpt-4o"] }],
    })
  })

  test("is shown, copied and exported as its model", async () => {
    using it = await withConfig({ "gpt-4o": "qwen3:0.6b" })
    expect((await it.run(show, "gpt-4o")).out).toMatch(/\n {4}aliases +gpt-4o\n/)
    await it.run(cp, "gpt-4o", "copy")
    expect((await it.store.resolve("copy")).id).toBe((await it.store.resolve("qwen3:0.6b")).id)
    using folder = tempFolder()
    const { out } = await it.run(exportCommand, "gpt-4o", join(folder.path, "m.tar.zst"))
    expect(out).toStartWith("exported 'qwen3:0.6b' to ")
  })

  test("is not deleted, and neither is its model by that name", async () => {
    using it = await withConfig({ "gpt-4o": "qwen3:0.6b" })
    await expect(it.run(rm, "Small", "GPT-4o")).rejects.toThrow(
      "'GPT-4o' is an alias of 'qwen3:0.6b': delete the model by its own name, or take the alias out of the configuration",
    )
    expect(await it.models.names()).toEqual(["Small", "qwen3:0.6b"])
  })

  test("that becomes a model's own name is told of", async () => {
    using it = await withConfig({ "gpt-4o": "qwen3:0.6b" })
    const { err } = await it.run(cp, "small", "gpt-4o")
    expect(err).toBe("the alias 'gpt-4o' has no effect: the model 'gpt-4o:latest' takes precedence\n")
  })
})

describe("a pull of an alias", () => {
  async function pulling(
    options: { readonly onlyMissing?: boolean },
    entries: Readonly<Record<string, string>>,
  ) {
    const it = await PullScene.create({ aliases: () => aliases(entries) })
    it.registry.publish("library/gpt-4o:latest", { model: tinyModelBytes({ seed: 9 }) })
    it.registry.publish("library/tiny:latest", { model: tinyModelBytes() })
    const { name } = await it.pull("gpt-4o", options)
    return { it, name, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() }
  }

  test.each([{}, { onlyMissing: true }])("is one of what it stands for (%j)", async (options) => {
    await using done = await pulling(options, { "gpt-4o": "mini", mini: "tiny" })
    expect(done.name).toBe("tiny:latest")
    expect(done.it.notes).toEqual(["'gpt-4o' is an alias of 'tiny'"])
    expect((await done.it.store.list()).map(({ name }) => name)).toEqual(["tiny:latest"])
  })
})
