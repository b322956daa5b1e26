import { expect, test } from "bun:test"
import { mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { createStore } from "../../../src/store"
import { writeTinyModel } from "../../support/files/tiny-model"
import { writePeftFolder } from "../../support/hf/peft-folder"
import { tempFolder } from "../../support/temp-folder"

test("a folder of PEFT is an adapter for the models that it fits, once it is used with them", async () => {
  using temp = tempFolder()
  const modelsFolder = join(temp.path, "models")
  mkdirSync(modelsFolder)
  writeTinyModel(join(modelsFolder, "base.gguf"))
  writeTinyModel(join(modelsFolder, "wide.gguf"), { dim: 96 })
  const style = writePeftFolder(join(temp.path, "style"))
  const empty = join(temp.path, "empty")
  mkdirSync(empty)
  const configuredAdapters = () => [style, empty].map((path) => ({ path, scale: 1 }))
  const store = createStore({ modelsFolder, configuredAdapters })
  const of = async (name: string) => await store.adapters.of(await store.resolve(name))

  expect(await store.adapters.list()).toMatchObject([
    { name: "style", path: style },
    { name: "empty", fault: "it is a folder without adapter_config.json, which adapters have" },
  ])
  const [made, other] = await of("base")
  expect(made).toMatchObject({ name: "style", scale: 1 })
  expect(made?.misfit).toBeUndefined()
  expect(made?.path).toMatch(/\/style\.gguf$/)
  expect(other?.misfit).toContain("it is a folder without adapter_config.json")
  const writtenAt = statSync(made?.path ?? "").mtimeMs
  expect((await of("base"))[0]?.path).toBe(made?.path ?? "")
  expect(
    (await createStore({ modelsFolder, configuredAdapters }).adapters.of(await store.resolve("base")))[0]
      ?.path,
  ).toBe(made?.path ?? "")
  expect(statSync(made?.path ?? "").mtimeMs).toBe(writtenAt)

  const [misfit] = await of("wide")
  expect(misfit).toMatchObject({ name: "style", path: style })
  expect(misfit?.misfit).toContain("'wide'")
  writePeftFolder(style, { seed: 2, dim: 96 })
  expect((await of("wide"))[0]?.misfit).toBeUndefined()
})
