import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"
import { locateLlama } from "../../../../src/native/llama-files"
import { hasRealModel, REAL_MODEL_PATH } from "../../../support/real/real-model"
import { tempFolder } from "../../../support/temp-folder"
import { EYE_COLOURS, writeEye } from "../../../support/vision/eye"
import { writeTinyProjector } from "../../../support/vision/tiny-projectors"
import { writeTinyText } from "../../../support/vision/tiny-text"
import { Album, MARK, startSeeing } from "../../../support/vision/seeing-worker"

setDefaultTimeout(120_000)

const { mtmd } = await locateLlama("/nonexistent")
const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

test.skipIf(mtmd === undefined || !hasRealModel())(
  "a real model that sees finds the name of each of seven colours likelier than the others'",
  async () => {
    const album = new Album(folder.path)
    await using worker = await startSeeing(
      { model: REAL_MODEL_PATH, projector: writeEye(folder.path) },
      { settings: { contextLength: 512 } },
    )
    const question = `<|im_start|>user\nWhich colour is this? It is${MARK}<|im_end|>\n<|im_start|>assistant\nIt is`
    const names = Object.keys(EYE_COLOURS)
    for (const [name, colour] of Object.entries(EYE_COLOURS)) {
      // Only the names can be chosen, so the one that is chosen is the likeliest.
      const run = await worker.run(
        album.ask(question, [{ type: "plain", colour }], {
          maxTokens: 3,
          output: { type: "regex", pattern: ` (${names.join("|")})` },
        }),
      )
      expect([name, run.text().trim()]).toEqual([name, name])
    }
  },
)

test.skipIf(mtmd === undefined)(
  "a model without the tokens that its projector puts around pictures says so, and still generates texts",
  async () => {
    const model = join(folder.path, "bare.gguf")
    const projector = join(folder.path, "mmproj-bare.gguf")
    writeTinyText(model, { architecture: "llama", dim: 64 })
    writeTinyProjector(projector, "idefics3", { projection: 64 })
    const album = new Album(folder.path)
    await using worker = await startSeeing({ model, projector })
    const picture = { type: "plain", colour: [1, 2, 3] } as const
    const run = worker.submit(album.ask(MARK, [picture]))
    await run.over
    expect(run.error).toMatchObject({ code: "unsupported", status: 400 })
    expect((await worker.run(album.ask("the cat", []))).text()).not.toBe("")
    // The tensors of the model, and the projector's file.
    const { modelBytes } = worker.info
    expect(modelBytes).toBeGreaterThan(statSync(projector).size + 400_000)
  },
)
