import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { locateLlama } from "../../../../src/native/llama-files"
import { encodeRequest } from "../../../../src/protocol/wire"
import type { FromPromptThread, ToPromptThread } from "../../../../src/worker/text/prompt/prompt-messages"
import { modelDefaults } from "../../../../src/worker/text/sampling/sampling"
import { CHATML, writeTinyModel } from "../../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { greedyChat } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
afterAll(() => {
  folder[Symbol.dispose]()
  closeSync(devNull)
})

test("a request that nobody wants any more is not prepared where it has not been begun", async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
  using model = Model.load(library, path, EXACT_SETTINGS)
  if (model === undefined) throw new Error("llama.cpp refused the model")
  const thread = new Worker(
    new URL("../../../../src/worker/text/prompt/prompt-thread.ts", import.meta.url).href,
  )
  const heard: string[] = []
  const over = Promise.withResolvers<void>()
  thread.onmessage = ({ data }: MessageEvent<FromPromptThread>) => {
    heard.push("id" in data ? `${data.type} ${data.id}` : data.type)
    if (data.type === "prepared" && data.id === 5) over.resolve()
  }
  const post = (message: ToPromptThread): void => thread.postMessage(message)
  post({
    type: "setup",
    files,
    vocabulary: model.vocabulary.share(),
    chatTemplate: CHATML,
    isTemplateChosen: false,
    needsCheckpoints: false,
    contextLength: 100_000,
    thinking: {},
    sampling: modelDefaults(() => undefined),
  })
  // The first ones take long enough that what is said behind them is heard before it is the others' turn.
  const request = encodeRequest(greedyChat("word ".repeat(15_000)))
  for (const id of [1, 2, 3, 4, 5]) post({ type: "prepare", id, purpose: "generate", request })
  for (const id of [3, 4]) post({ type: "forget", id })
  await over.promise
  thread.terminate()
  expect(heard.filter((line) => line.startsWith("templated"))).toEqual([
    "templated 1",
    "templated 2",
    "templated 5",
  ])
  expect(heard).toEqual(expect.arrayContaining(["forgotten 3", "forgotten 4", "prepared 1", "prepared 2"]))
})
