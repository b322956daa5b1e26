import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { ModelExists } from "../../../src/errors/model"
import { manifestId } from "../../../src/store/managed/manifest"
import { parseModelName } from "../../../src/store/names"
import { PullScene, tinyModelBytes } from "../../support/fakes/pull-scene"
import { manifestOf } from "../../support/files/models-folder"
import { writeTinyModel } from "../../support/files/tiny-model"

const TINY = tinyModelBytes()
const OTHER = tinyModelBytes({ seed: 2 })

/** Installs a model of the user's own. */
async function make(it: PullScene, name: string, type: "create" | "file" | "ollama" = "create") {
  const blob = await it.store.blobs.addBytes(OTHER)
  const manifest = manifestOf([{ name: "own.gguf", role: "model", ...blob }], {
    source: { type, reference: "own.gguf" },
  })
  return await it.store.install(parseModelName(name), manifest)
}

/** Does something while a model's file is on its way: the rest of it comes afterwards. */
function whileItDownloads<T>({ registry }: PullScene, act: () => Promise<T>): Promise<T> {
  const done = Promise.withResolvers<T>()
  let hasBegun = false
  registry.storage.onSent = async ({ sent }) => {
    if (hasBegun || sent < 16_384) return
    hasBegun = true
    await act().then(done.resolve, done.reject)
  }
  return done.promise
}

const manifestPath = (it: PullScene, model: string) =>
  join(it.folder.path, "models/manifests/registry.ollama.ai/library", model, "latest.json")

describe("a pull that nobody has asked for by itself", () => {
  test("takes what the name stands for already, and asks no registry", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/mario:latest", { model: TINY })
    const own = await make(it, "Mario")
    for (const model of ["mario", "MARIO", "mario:latest", "ollama:mario"]) {
      expect(await it.pull(model, { onlyMissing: true })).toMatchObject({ name: "Mario:latest", id: own.id })
    }
    expect(it.registry.server.requests).toEqual([])
  })

  test("takes a file that was dropped in under that name", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/small:latest", { model: TINY })
    await make(it, "other")
    writeTinyModel(join(it.folder.path, "models/Small.gguf"))
    for (const model of ["small", "small:latest"]) {
      expect((await it.pull(model, { onlyMissing: true })).name).toBe("Small")
    }
    expect(it.registry.server.requests).toEqual([])
  })

  test("downloads what is not there", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/tiny:latest", { model: TINY })
    expect((await it.pull("tiny", { onlyMissing: true })).name).toBe("tiny:latest")
    expect(it.statuses.at(-1)).toBe("success")
  })

  test("does not replace a model that was installed while it went on", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/mario:latest", { model: TINY })
    const own = whileItDownloads(it, () => make(it, "mario"))
    const result = await it.pull("mario", { onlyMissing: true })
    expect(result.id).toBe((await own)?.id ?? "")
    expect((await it.store.manifest("mario"))?.source?.type).toBe("create")
  })

  test("does not replace a manifest that it cannot read", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/mario:latest", { model: TINY })
    await make(it, "mario")
    writeFileSync(manifestPath(it, "mario"), '{"version": 2}')
    const failure = it.pull("mario", { onlyMissing: true })
    await expect(failure).rejects.toThrow(ModelExists)
    await expect(failure).rejects.toThrow(
      "a model 'mario:latest' already exists; its description is damaged, or of a later version; " +
        "'xllm pull mario:latest' replaces it, 'xllm rm mario:latest' deletes it",
    )
    expect(await Bun.file(manifestPath(it, "mario")).text()).toBe('{"version": 2}')
    expect(it.registry.server.requests).toEqual([])
    // Who asks for it by itself has the choice.
    expect((await it.pull("mario")).name).toBe("mario:latest")
  })

  test("of an address takes the model of that address, and no other one of its file's name", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/x"] = { files: { "tiny.gguf": TINY } }
    const url = `${it.hub.url}/org/x/resolve/main/tiny.gguf`
    await it.pull(url, { onlyMissing: true })
    const before = it.statuses.length
    expect((await it.pull(url, { onlyMissing: true })).name).toBe("tiny:latest")
    expect(it.statuses.slice(before)).toEqual(["pulling manifest"])
    await make(it, "tiny")
    await expect(it.pull(url, { onlyMissing: true })).rejects.toThrow(
      `a model 'tiny:latest' already exists; it did not come from ${url}`,
    )
  })
})

describe("a pull by name", () => {
  test("does not replace a model that was made here, and says what can be done", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/mario:latest", { model: TINY })
    for (const type of ["create", "file"] as const) {
      const own = await make(it, "mario", type)
      await expect(it.pull("mario")).rejects.toThrow(
        "a model 'mario:latest' already exists; it was made here; 'xllm cp mario:latest NAME' keeps it " +
          "under another name, 'xllm rm mario:latest' deletes it",
      )
      expect((await it.store.resolve("mario")).id).toBe(own.id)
    }
    expect(it.registry.storage.sent()).toBeLessThan(TINY.length)
  })

  test("replaces one that was downloaded before", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/tiny:latest", { model: OTHER })
    const old = await it.pull("tiny")
    it.registry.publish("library/tiny:latest", { model: TINY })
    expect((await it.pull("tiny")).id).not.toBe(old.id)
  })

  test("of an address does not replace a model that came from elsewhere", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/tiny:latest", { model: OTHER })
    const old = await it.pull("tiny")
    it.hub.repositories["org/x"] = { files: { "tiny.gguf": TINY } }
    await expect(it.pull(`${it.hub.url}/org/x/resolve/main/tiny.gguf`)).rejects.toThrow(ModelExists)
    expect((await it.store.resolve("tiny")).id).toBe(old.id)
  })
})

test("a repair does not undo what was installed under the name meanwhile", async () => {
  await using it = await PullScene.create()
  it.registry.publish("library/tiny:latest", { model: TINY })
  await it.pull("tiny")
  const { files } = (await it.store.manifest("tiny")) ?? { files: [] }
  for (const { digest } of files) writeFileSync(it.store.blobs.pathOf(digest), new Uint8Array(TINY.length))
  const own = whileItDownloads(it, () => make(it, "tiny"))
  const signal = new AbortController().signal
  await expect(it.puller().repair({ model: "tiny", signal, onEvent: () => {} })).rejects.toThrow(ModelExists)
  await own
  const manifest = await it.store.manifest("tiny")
  expect(manifest && manifestId(manifest)).toBe((await make(it, "copy")).id)
})
