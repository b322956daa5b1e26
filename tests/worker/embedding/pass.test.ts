import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import type { Pooling } from "../../../src/domain/embedding"
import { EmbeddingContext } from "../../../src/llama/embedding-context"
import { Library } from "../../../src/llama/library"
import { Model } from "../../../src/llama/model"
import { locateLlama } from "../../../src/native/llama-files"
import { newPass, PART_TOKENS } from "../../../src/worker/embedding/pass"
import { normalized } from "../../../src/worker/embedding/vectors"
import { writeTinyEmbedder } from "../../support/files/tiny-embedder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { distance } from "../../support/real/embeddings"
import { EXACT_SETTINGS } from "../../support/real/real-worker"
import { tempFolder } from "../../support/temp-folder"

setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let library: Library

beforeAll(async () => {
  library = Library.open(await locateLlama("/nonexistent"), {
    useGpu: false,
    logDescriptor: devNull,
    logLevel: 4,
  })
})
afterAll(() => {
  folder[Symbol.dispose]()
  closeSync(devNull)
})

const TEXTS = [30, 700, 5].map((length, text) =>
  Int32Array.from({ length }, (_, at) => 20 + ((at * 7 + text) % 400)),
)

/** The vectors of the texts, and the decodes that they took. */
function computed(model: Model, pooling: Pooling, partTokens: number | undefined) {
  using context = EmbeddingContext.create(model, {
    ...EXACT_SETTINGS,
    tokens: 1024,
    sequences: 8,
    pooling,
    partTokens,
    threads: 1,
  })
  if (context === undefined) throw new Error("llama.cpp refused the context")
  const pass = newPass(context, TEXTS)
  let decodes = 1
  while (pass.next() === "more") decodes++
  return { decodes, vectors: pass.vectors().map((vector) => normalized(vector)) }
}

test.each([
  ["an embedding model by the last token", "qwen3", "last"],
  ["a text model by the mean", "llama", "mean"],
  ["a model with a sliding window by the mean", "swa", "mean"],
  ["a recurrent model by the mean", "mamba", "mean"],
  ["a hybrid model by the last token", "hybrid", "last"],
] as const)("texts in parts have the vectors that llama.cpp pools: %s", (_, architecture, pooling) => {
  const path = join(folder.path, `${architecture}-${pooling}.gguf`)
  if (architecture === "qwen3") writeTinyEmbedder(path, { architecture, contextLength: 4096 })
  else writeTinyModel(path, { architecture, slidingWindow: 64 })
  using model = Model.load(library, path, EXACT_SETTINGS)
  if (model === undefined) throw new Error("llama.cpp refused the model")
  const whole = computed(model, pooling, undefined)
  const parts = computed(model, pooling, PART_TOKENS)
  expect([whole.decodes, parts.decodes]).toEqual([1, 2])
  for (const [index, vector] of parts.vectors.entries())
    expect(distance(vector, whole.vectors[index])).toBeLessThan(1e-4)
})
