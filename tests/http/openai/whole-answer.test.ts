import { expect, test } from "bun:test"
import type { GenerationEvent, TokenLogprob } from "../../../src/domain/chat"
import { choiceEvents, done, token } from "../../support/fakes/fake-engine"
import { chunksOf, errorOf, fakeServer, type Json, jsonOf, USER_HI } from "../../support/http"

/** Tokens of one letter, each with so many alternatives. */
function tokens(count: number, alternatives: number): readonly TokenLogprob[] {
  const top = Array.from({ length: alternatives }, (_, index) =>
    token(String.fromCharCode(65 + index), -index),
  )
  return Array.from({ length: count }, (_, index) => token(String.fromCharCode(97 + (index % 26)), -1, top))
}

/** An answer of these tokens in each of `n` choices. */
async function* answerOf(list: readonly TokenLogprob[], n = 1): AsyncGenerator<GenerationEvent> {
  yield { type: "prompt", tokens: 1 }
  for (let choice = 0; choice < n; choice++)
    yield* choiceEvents(
      list.map((each) => String.fromCharCode(...each.bytes)),
      { choice, logprobs: list.map((each) => [each]) },
    )
  yield done(n * list.length)
}

const choicesOf = (body: Json) => body["choices"] as readonly Json[]

test("a long chat's log probabilities are the same whole as in a stream", async () => {
  const { post } = fakeServer(() => answerOf(tokens(1500, 3)))
  const body = { messages: USER_HI, logprobs: true, top_logprobs: 3 }
  const whole = choicesOf(await jsonOf(post("/v1/chat/completions", body)))[0]?.["logprobs"] as Json
  const stream = await (await post("/v1/chat/completions", { ...body, stream: true })).text()
  const pieces = chunksOf(stream).flatMap((chunk) => {
    const logprobs = choicesOf(chunk)[0]?.["logprobs"] as Json | null | undefined
    return (logprobs?.["content"] ?? []) as readonly unknown[]
  })
  expect(pieces).toHaveLength(1500)
  expect(whole).toEqual({ content: pieces, refusal: null })
})

test("a long completion's log probabilities are the same whole as in a stream", async () => {
  const { post } = fakeServer(() => answerOf(tokens(1500, 3)))
  const body = { prompt: "Hi", logprobs: 3 }
  const whole = choicesOf(await jsonOf(post("/v1/completions", body)))[0]?.["logprobs"] as Json
  const stream = await (await post("/v1/completions", { ...body, stream: true })).text()
  const pieces = chunksOf(stream).flatMap((chunk): readonly Json[] => {
    const logprobs = choicesOf(chunk)[0]?.["logprobs"] as Json | null | undefined
    return logprobs == null ? [] : [logprobs]
  })
  for (const name of ["tokens", "token_logprobs", "top_logprobs", "text_offset"]) {
    const values = pieces.flatMap((piece) => piece[name] as readonly unknown[])
    expect(values).toHaveLength(1500)
    expect(whole[name]).toEqual(values)
  }
})

test("an answer without a token has empty log probabilities", async () => {
  const { post } = fakeServer(() => answerOf([]))
  const chat = await jsonOf(post("/v1/chat/completions", { messages: USER_HI, logprobs: true }))
  expect(choicesOf(chat)[0]?.["logprobs"]).toEqual({ content: [], refusal: null })
  const completion = await jsonOf(post("/v1/completions", { prompt: "Hi", logprobs: 0 }))
  const none = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  expect(choicesOf(completion)[0]?.["logprobs"]).toEqual(none)
})

test("a whole answer keeps only so many log probabilities", async () => {
  // 21 each: 2,016,000.
  const { post } = fakeServer(({ n }) => answerOf(tokens(750, 20), n))
  const body = { prompt: "Hi", n: 128, logprobs: 20 }
  expect(await errorOf(post("/v1/completions", body))).toMatchObject({
    status: 400,
    param: "logprobs",
    message:
      "the answer has more than 2000000 log probabilities; ask for fewer choices, tokens or alternatives, or for a stream",
  })
})
