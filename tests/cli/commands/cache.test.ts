import { describe, expect, test } from "bun:test"
import { readdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { command as cache } from "../../../src/cli/commands/cache"
import { command as rm } from "../../../src/cli/commands/rm"
import { PromptFolder } from "../../../src/kv-disk/folder"
import { fakeIo } from "../../support/fakes/fake-io"
import { ModelsFolder } from "../../support/files/models-folder"

const ioFor = (models: ModelsFolder) =>
  fakeIo({ environment: { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home, XLLM_HOST: "127.0.0.1:1" } })

/** Saves a prompt of a model, last used at a time. */
async function save(models: ModelsFolder, model: string, tokens: number, usedSeconds: number): Promise<void> {
  const folder = promptsOf(models)
  const prompts = new PromptFolder({ folder, maxBytes: 1024 ** 3, warn: () => {} })
  const fingerprint = Bun.SHA256.hash(model, "hex")
  await prompts.write({
    fingerprint,
    model,
    modelId: `id of ${model}`,
    realm: "",
    computeMs: 5,
    tokens: Int32Array.from({ length: tokens }, (_, at) => at),
    state: Buffer.alloc(3 * 1024 ** 2),
  })
  for (const { file } of await prompts.list(fingerprint))
    utimesSync(join(folder, file), usedSeconds, usedSeconds)
}

const promptsOf = (models: ModelsFolder) => join(models.home, "cache", "kv")

describe("cache", () => {
  test("lists the prompts on disk, the last used first", async () => {
    using models = new ModelsFolder()
    await save(models, "a:latest", 300, Date.now() / 1000 - 7200)
    await save(models, "b:1", 4000, Date.now() / 1000 - 60)
    const io = ioFor(models)
    await cache.execute([], io)
    expect(io.out).toMatch(
      /^MODEL +TOKENS +SIZE +CREATED +LAST USED +USES +NAME\nb:1 +4000 +3\.\d MB .* 0 *\na:latest +300 .* 0 *\n$/,
    )
    expect(io.err).toBe(`2 prompts, 6.3 MB in ${promptsOf(models)}\n`)
  })

  test("lists one model's, as JSON", async () => {
    using models = new ModelsFolder()
    await save(models, "a:latest", 300, 1000)
    await save(models, "b:1", 4000, 1_000_000)
    const io = ioFor(models)
    await cache.execute(["list", "B:1", "--json"], io)
    expect(JSON.parse(io.out)).toMatchObject({
      folder: promptsOf(models),
      prompts: [
        { model: "b:1", model_id: "id of b:1", tokens: 4000, used_at: "1970-01-12T13:46:40.000Z", uses: 0 },
      ],
    })
  })

  test("clears one model's prompts, or all", async () => {
    using models = new ModelsFolder()
    for (const name of ["a:latest", "b:1", "c:1"]) await save(models, name, 300, 1000)
    const io = ioFor(models)
    await cache.execute(["clear", "b:1"], io)
    await cache.execute(["clear"], io)
    await cache.execute(["clear", "--json"], io)
    expect(io.out).toBe(
      "deleted 1 prompt of 'b:1' (3.1 MB)\ndeleted 2 prompts (6.3 MB)\n" +
        '{\n  "deleted": 0,\n  "size_bytes": 0\n}\n',
    )
    expect(readdirSync(promptsOf(models))).toEqual([])
  })

  test("knows a model by every name that the store knows it by", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "m.gguf": "content" })
    await save(models, "a:latest", 300, 1000)
    const io = ioFor(models)
    await cache.execute(["clear", "A"], io)
    expect(io.out).toBe("deleted 1 prompt of 'A' (3.1 MB)\n")
  })

  test("refuses a name that neither a model nor a prompt has, and an unknown action", async () => {
    using models = new ModelsFolder()
    await save(models, "a:latest", 300, 1000)
    await expect(cache.execute(["clear", "x-y-z"], ioFor(models))).rejects.toThrow("model 'x-y-z' not found")
    await expect(cache.execute(["empty"], ioFor(models))).rejects.toThrow("unknown action 'empty'")
    expect(readdirSync(promptsOf(models))).toHaveLength(1)
  })

  test("says nothing of a folder that is not there", async () => {
    using models = new ModelsFolder()
    const io = ioFor(models)
    await cache.execute([], io)
    expect([io.out, io.err]).toEqual([
      "MODEL    TOKENS    SIZE    CREATED    LAST USED    USES    NAME\n",
      "",
    ])
  })
})

test("rm deletes a model's prompts with it, and no other's", async () => {
  using models = new ModelsFolder()
  await models.install("a", { "m.gguf": "content" })
  await save(models, "a:latest", 300, 1000)
  await save(models, "b:1", 300, 1000)
  await rm.execute(["a"], ioFor(models))
  const io = ioFor(models)
  await cache.execute([], io)
  expect(io.out).toContain("b:1")
  expect(io.out).not.toContain("a:latest")
})
