import { afterAll, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { PullScene } from "../../support/fakes/pull-scene"
import { writeTinyAdapter } from "../../support/files/tiny-adapter"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const bytes = (seed: number) =>
  readFileSync(writeTinyAdapter(join(folder.path, `${seed}.gguf`), { seed, rank: 8 }))

function pullAny(it: PullScene, model: string) {
  const { signal } = new AbortController()
  return it.puller().pullAny({ model, signal, onEvent: (event) => it.events.push(event) })
}

test("an adapter on Hugging Face becomes a file in the folder of adapters", async () => {
  await using it = await PullScene.create()
  it.hub.repositories["org/style-GGUF"] = { files: { "README.md": "# Style", "style-f16.gguf": bytes(1) } }
  expect(await pullAny(it, "org/style-GGUF")).toBeUndefined()
  expect(it.notes).toContain(
    "'style-f16' is a LoRA adapter for models of the architecture 'llama': use it as MODEL@style-f16",
  )
  expect(await it.store.list()).toEqual([])
  expect(await it.store.adapters.list()).toMatchObject([{ name: "style-f16", facts: { rank: 8 } }])
  // Again, and with nothing left over.
  await pullAny(it, "org/style-GGUF")
  expect(readdirSync(it.store.adapters.folder)).toEqual(["style-f16.gguf"])
})

test("one without a name of its own gets that of its repository, and replaces no other", async () => {
  await using it = await PullScene.create()
  const files = { "adapter.gguf": bytes(1) }
  it.hub.repositories["org/style"] = { files }
  it.hub.repositories["other/style"] = { files: { "adapter_model.gguf": bytes(2) } }
  await pullAny(it, "org/style")
  expect((await it.store.adapters.list()).map(({ name }) => name)).toEqual(["style"])
  await expect(pullAny(it, "other/style")).rejects.toThrow(
    "another adapter 'style' exists; 'xllm rm style' deletes it",
  )
})

test("where a model is needed, an adapter is refused", async () => {
  await using it = await PullScene.create()
  it.hub.repositories["org/style"] = { files: { "style.gguf": bytes(1) } }
  await expect(it.pull("org/style")).rejects.toThrow(
    "org/style:latest is a LoRA adapter, not a model; 'xllm pull org/style:latest' makes it available",
  )
  expect(await it.store.adapters.list()).toEqual([])
})
