import { expect, test } from "bun:test"
import { errorOf, fakeServer } from "../../support/http"

test.each(["/embedding", "/embeddings"])("%s gives every text a list with its vector", async (path) => {
  const { post, engine } = fakeServer()
  const answer = await post(path, { content: ["a", [7, 8]] })
  expect(await answer.json()).toEqual([
    { index: 0, embedding: [[0, 0.5]] },
    { index: 1, embedding: [[1, 0.5]] },
  ])
  expect(engine.embeddings[0]?.request).toMatchObject({ inputs: ["a", [7, 8]] })
})

test("the text may be in `input`, and have token ids around it", async () => {
  const { post, engine } = fakeServer()
  await post("/embedding", { model: "tiny", input: [1, "a", 2] })
  expect(engine.embeddings[0]?.request).toMatchObject({ inputs: [[1, 97, 2]] })
})

test("the norm of the vectors may be another, and their pooling may not", async () => {
  const { post, engine } = fakeServer()
  await post("/embedding", { content: "a", embd_normalize: -1 })
  expect(engine.embeddings[0]?.request).toMatchObject({ norm: -1 })
  const { status, type } = await errorOf(post("/embedding", { content: "a", pooling: "none" }))
  expect([status, type]).toEqual([400, "not_supported_error"])
})

test("every token has a vector where the model's are not pooled", async () => {
  const { post, engine } = fakeServer()
  engine.embeddingScript = async function* () {
    const common = { type: "vectors", tokenWidth: 2 } as const
    yield { ...common, indices: Int32Array.of(1), values: Float32Array.of(7, 8) }
    yield { ...common, indices: Int32Array.of(0), values: Float32Array.of(1, 2, 3, 4) }
    const timings = { queueMs: 0, loadMs: 0, workMs: 1 }
    yield { type: "done", usage: { inputs: 2, inputTokens: 3 }, timings }
  }
  const answer = await post("/embedding", { content: ["a b", "c"] })
  expect(await answer.json()).toEqual([
    {
      index: 0,
      embedding: [
        [1, 2],
        [3, 4],
      ],
    },
    { index: 1, embedding: [[7, 8]] },
  ])
  expect(engine.embeddings[0]?.request).toMatchObject({ takesTokens: true })
})
