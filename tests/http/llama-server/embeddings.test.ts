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
