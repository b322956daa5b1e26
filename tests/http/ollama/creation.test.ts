import { expect, test } from "bun:test"
import { readCreation } from "../../../src/http/ollama/creation"
import { Fields } from "../../../src/http/read/fields"
import { createStore } from "../../../src/store"
import { failure } from "../../support/failure"
import { ModelsFolder } from "../../support/files/models-folder"

test.each(["files", "adapters"])("%s that were not uploaded are refused by their digest", async (field) => {
  using models = new ModelsFolder()
  const store = createStore({ modelsFolder: models.path })
  const digest = `sha256:${"a".repeat(64)}`
  const base = field === "files" ? {} : { from: "tiny" }
  const creation = readCreation(new Fields({ model: "new", ...base, [field]: { "x.gguf": digest } }), store)
  const library = {
    store,
    pull: () => Promise.reject(new Error("nothing is downloaded here")),
    checkUpdates: () => Promise.resolve(new Map()),
  }
  const error = await failure(
    creation.run({ library, signal: new AbortController().signal, report: () => {} }),
  )
  expect(error.message).toBe(`${field}.x.gguf: there is no blob ${digest}; upload it to /api/blobs first`)
  expect(error.message).not.toContain(models.path)
})
