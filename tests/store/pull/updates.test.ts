import { expect, test } from "bun:test"
import { FaultyServer } from "../../support/fakes/faulty-server"
import { PullScene, tinyModelBytes } from "../../support/fakes/pull-scene"

const OLD = tinyModelBytes()
const NEW = tinyModelBytes({ seed: 2 })
const soon = () => new AbortController().signal

test("each source is asked for what it has now", async () => {
  await using it = await PullScene.create()
  let served = OLD
  await using files = await FaultyServer.start((_request, exchange) =>
    exchange.file(served, served === OLD ? '"1"' : '"2"'),
  )
  it.hub.repositories["org/hub"] = { files: { "m.gguf": OLD, "README.md": "one" } }
  it.hub.repositories["org/same"] = { files: { "m.gguf": OLD, "README.md": "one" } }
  it.registry.publish("library/lib:latest", { model: OLD })
  for (const model of ["org/hub", "org/same", "lib", `${files.url}/file.gguf`]) await it.pull(model)
  const names = (await it.store.list()).map(({ name }) => name)
  const check = async () => Object.fromEntries(await it.puller().checkUpdates(names, soon()))
  expect(await check()).toEqual({
    "org/hub:latest": "current",
    "org/same:latest": "current",
    "lib:latest": "current",
    "file:latest": "current",
  })
  it.hub.repositories["org/hub"] = { files: { "m.gguf": NEW, "README.md": "one" } }
  it.hub.repositories["org/same"] = { files: { "m.gguf": OLD, "README.md": "two" } }
  it.registry.publish("library/lib:latest", { model: OLD, system: "Be new." })
  served = NEW
  expect(await check()).toEqual({
    "org/hub:latest": "available",
    "org/same:latest": "current",
    "lib:latest": "available",
    "file:latest": "available",
  })
})

test("a source that fails, is silent or has lost the model is unknown; a model that was put there by hand is left out", async () => {
  await using it = await PullScene.create()
  it.registry.publish("library/a:latest", { model: OLD })
  it.hub.repositories["org/b"] = { files: { "m.gguf": OLD } }
  await it.pull("a")
  await it.pull("org/b")
  await Bun.write(`${it.folder.path}/models/dropped.gguf`, OLD)
  delete it.hub.repositories["org/b"]
  const stop = new AbortController()
  it.registry.silent = () => stop.abort()
  const names = (await it.store.list()).map(({ name }) => name)
  expect(names).toContain("dropped")
  expect(Object.fromEntries(await it.puller().checkUpdates(names, stop.signal))).toEqual({
    "a:latest": "unknown",
    "org/b:latest": "unknown",
  })
})
