import { describe, expect, test } from "bun:test"
import { fakeServer, jsonOf } from "../../support/http"

const DURATION = expect.any(Number)

describe("POST /api/embed", () => {
  test("has a vector for each text, in their order", async () => {
    const { post, engine } = fakeServer()
    const body = {
      model: "tiny",
      input: ["a", "b"],
      dimensions: 2,
      keep_alive: "1m",
      options: { num_ctx: 64 },
    }
    expect(await jsonOf(post("/api/embed", body))).toEqual({
      model: "tiny",
      embeddings: [
        [0, 0.5],
        [1, 0.5],
      ],
      total_duration: DURATION,
      load_duration: DURATION,
      prompt_eval_count: expect.any(Number),
    })
    expect(engine.embeddings.map(({ request }) => request)).toMatchObject([
      { kind: "embedding", model: "tiny", inputs: ["a", "b"], dimensions: 2, keepAliveSeconds: 60 },
    ])
  })

  test("takes one text, and cuts the end off one that is too long unless told not to", async () => {
    const { post, engine } = fakeServer()
    expect(await jsonOf(post("/api/embed", { model: "tiny", input: "a" }))).toMatchObject({
      embeddings: [[0, 0.5]],
    })
    await post("/api/embed", { model: "tiny", input: "a", truncate: true })
    await post("/api/embed", { model: "tiny", input: "a", truncate: false })
    expect(engine.embeddings.map(({ request }) => request.truncation)).toEqual(["start", "start", "no"])
  })

  test.each([{}, { input: "" }, { input: [] }])(
    "loads the model where there is no text: %j",
    async (fields) => {
      const { post, engine } = fakeServer()
      const answer = await jsonOf(post("/api/embed", { model: "tiny", ...fields }))
      expect(answer).toEqual({ model: "tiny", embeddings: [] })
      expect(engine.embeddings).toHaveLength(0)
      await post("/api/embed", { model: "tiny", keep_alive: 0, ...fields })
      expect(engine.stopped).toEqual(["tiny"])
    },
  )

  test.each([
    [{ input: 7 }, "input must be a string or an array of strings, got 7"],
    [{ input: ["a", 7] }, "input[1] must be a string, got 7"],
    [{ input: [[1, 2]] }, "input[0] must be a string, got an array"],
    [{ input: Array(2049).fill("a") }, "input must have at most 2048 entries, got 2049"],
    [{ input: "a", truncate: "END" }, 'truncate must be true or false, got "END"'],
    [{ input: "a", dimensions: 0 }, "dimensions must be a whole number between 1 and 65536, got 0"],
    [{ input: "a", model: undefined }, "model is required"],
  ])("refuses %j: %s", async (fields, error) => {
    const { post } = fakeServer()
    const answer = await post("/api/embed", { model: "tiny", ...fields })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({ error })
  })

  test("says that a model is not there", async () => {
    const { post } = fakeServer()
    expect((await post("/api/embed", { model: "none", input: [] })).status).toBe(404)
  })
})

describe("POST /api/embeddings", () => {
  test("has the vector of its prompt", async () => {
    const { post, engine } = fakeServer()
    expect(await jsonOf(post("/api/embeddings", { model: "tiny", prompt: "a" }))).toEqual({
      embedding: [0, 0.5],
    })
    expect(engine.embeddings[0]?.request).toMatchObject({ inputs: ["a"], truncation: "start" })
    expect(await jsonOf(post("/api/embeddings", { model: "tiny", prompt: "" }))).toEqual({ embedding: [] })
  })
})
