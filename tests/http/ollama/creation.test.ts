import { expect, test } from "bun:test"
import { readCreation } from "../../../src/http/ollama/creation"
import { Fields } from "../../../src/http/read/fields"
import type { ModelLibrary } from "../../../src/http/context/library"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { createStore } from "../../../src/store"
import type { Store } from "../../../src/store/contract"
import { failure } from "../../support/failure"
import { ModelsFolder } from "../../support/files/models-folder"

/** Its models are never downloaded; "quantized" weights are a text that names where they come from. */
function libraryOf(store: Store): ModelLibrary {
  return {
    store,
    pull: () => Promise.reject(new Error("nothing is downloaded here")),
    quantizer: (type) => ({
      type,
      async run(source, target, { report }) {
        report(0, 21)
        await Bun.write(target, `${type.name} of ${readGgufHeader(source).tensors.length} tensors`)
      },
    }),
  }
}

test.each(["files", "adapters"])("%s that were not uploaded are refused by their digest", async (field) => {
  using models = new ModelsFolder()
  const store = createStore({ modelsFolder: models.path })
  const digest = `sha256:${"a".repeat(64)}`
  const base = field === "files" ? {} : { from: "tiny" }
  const creation = readCreation(new Fields({ model: "new", ...base, [field]: { "x.gguf": digest } }), store)
  const library = libraryOf(store)
  const error = await failure(
    creation.run({ library, signal: new AbortController().signal, report: () => {} }),
  )
  expect(error.message).toBe(`${field}.x.gguf: there is no blob ${digest}; upload it to /api/blobs first`)
  expect(error.message).not.toContain(models.path)
})

test("weights are quantized, and all else stays", async () => {
  using models = new ModelsFolder()
  const store = createStore({ modelsFolder: models.path })
  await models.installTiny("tiny")
  const creation = readCreation(
    new Fields({ model: "small", from: "tiny", system: "Be brief.", quantize: "q4_k_m" }),
    store,
  )
  const events: unknown[] = []
  const signal = new AbortController().signal
  await creation.run({ library: libraryOf(store), signal, report: (event) => void events.push(event) })
  expect(events).toContainEqual({ type: "status", status: "quantizing the weights to Q4_K_M" })
  expect(events).toContainEqual({ type: "progress", file: "model-Q4_K_M.gguf", doneBytes: 0, totalBytes: 21 })
  const manifest = await store.manifest("small")
  expect(manifest).toMatchObject({
    system: "Be brief.",
    files: [{ name: "model-Q4_K_M.gguf", role: "model" }],
  })
  expect(await Bun.file(store.blobs.pathOf(manifest!.files[0]!.digest)).text()).toBe("Q4_K_M of 12 tensors")
})

test.each([
  ["q7", "quantize: there is no quantization 'q7'; Q4_K_M is the usual one"],
  ["iq2_xs", "quantize: IQ2_XS needs an importance matrix; quantize a file with 'xllm quantize --imatrix'"],
])("'%s' is refused before anything is read", (quantize, message) => {
  using models = new ModelsFolder()
  const store = createStore({ modelsFolder: models.path })
  expect(() => readCreation(new Fields({ model: "small", from: "tiny", quantize }), store)).toThrow(message)
})
