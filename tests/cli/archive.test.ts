import { expect, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"
import { command as exportModel } from "../../src/cli/commands/export"
import { command as importModel } from "../../src/cli/commands/import"
import { fakeIo } from "../support/fakes/fake-io"
import { ModelsFolder } from "../support/files/models-folder"

const homeOf = (models: ModelsFolder) => ({ environment: { XLLM_MODELS_DIR: models.path } })

test("export and import tell programs what they did", async () => {
  using here = new ModelsFolder()
  using there = new ModelsFolder()
  await here.installTiny("mine:v1")
  const file = join(here.home, "mine.tar.zst")
  const [out, back] = [fakeIo(homeOf(here)), fakeIo({ ...homeOf(there), input: "" })]
  await exportModel.execute(["mine:v1", file, "--json"], out)
  expect(JSON.parse(out.out)).toEqual({ model: "mine:v1", file, size_bytes: statSync(file).size })
  await importModel.execute([file, "--json"], back)
  expect(JSON.parse(back.out)).toEqual({ imported: ["mine:v1"], skipped: [] })
})

test("export has no room on stdout for both an archive and JSON", async () => {
  using here = new ModelsFolder()
  await here.installTiny("mine")
  await expect(exportModel.execute(["mine", "-", "--json"], fakeIo(homeOf(here)))).rejects.toThrow(
    "with --json a FILE is needed",
  )
})
