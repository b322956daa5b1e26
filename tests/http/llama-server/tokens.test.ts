import { expect, test } from "bun:test"
import type { TokensRequest } from "../../../src/domain/tokens"
import { FakeEngine } from "../../support/fakes/fake-engine"
import { errorOf, fakeServer, jsonOf } from "../../support/http"

/** Keeps what it is asked. */
class AskedEngine extends FakeEngine {
  readonly asked: TokensRequest[] = []

  override async tokens(request: TokensRequest) {
    this.asked.push(request)
    return await super.tokens(request)
  }
}

test("a text is tokenized as in llama-server", async () => {
  const engine = new AskedEngine()
  const { post } = fakeServer(undefined, { engine })
  expect(await jsonOf(post("/tokenize", { content: "ab" }))).toEqual({ tokens: [97, 98] })
  await post("/tokenize", { content: "ab", add_special: true, parse_special: false })
  expect(engine.asked).toMatchObject([
    { text: "ab", addSpecial: false, parseSpecial: true, withPieces: false },
    { text: "ab", addSpecial: true, parseSpecial: false, withPieces: false },
  ])
})

test("each token comes with its piece: a text, or the bytes of a part of a character", async () => {
  const { post } = fakeServer()
  expect(await jsonOf(post("/tokenize", { content: "aé", with_pieces: true }))).toEqual({
    tokens: [
      { id: 97, piece: "a" },
      { id: 195, piece: [195] },
      { id: 169, piece: [169] },
    ],
  })
})

test("texts and token ids in one list are joined", async () => {
  const engine = new AskedEngine()
  const { post } = fakeServer(undefined, { engine })
  const content = ["a", 7, "b"]
  expect(await jsonOf(post("/tokenize", { content, add_special: true }))).toEqual({ tokens: [97, 7, 98] })
  // Only the first text is at the start of the prompt.
  expect(engine.asked).toMatchObject([{ addSpecial: true }, { addSpecial: false }])
})

test("token ids become a text", async () => {
  const { post } = fakeServer()
  expect(await jsonOf(post("/detokenize", { tokens: [72, 105] }))).toEqual({ content: "Hi" })
})

test.each([
  ["/tokenize", {}, "content is required"],
  ["/tokenize", { content: 7 }, "content must be a string, got 7"],
  [
    "/tokenize",
    { content: ["a", true] },
    "content[1] must be a whole number between 0 and 2147483647, got true",
  ],
  ["/tokenize", { content: ["a"], with_pieces: true }, "with_pieces needs content that is one text"],
  ["/detokenize", {}, "tokens is required"],
  ["/detokenize", { tokens: [1, "a"] }, 'tokens[1] must be a whole number between 0 and 2147483647, got "a"'],
])("%s with %j is refused in llama-server's form", async (path, body, message) => {
  const { post } = fakeServer()
  const { status, type, message: given } = await errorOf(post(path, body))
  expect([status, type, given]).toEqual([400, "invalid_request_error", message])
})
