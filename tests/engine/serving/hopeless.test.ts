import { describe, expect, test } from "bun:test"
import type { ChatMessage, CompletionRequest, GenerationRequest } from "../../../src/domain/chat"
import { XllmError } from "../../../src/errors/base"
import { refuseHopeless } from "../../../src/protocol/least-tokens"
import { greedy, greedyChat } from "../../support/requests"
import { Client, completion, testEngine } from "../../support/test-engine"

/** The fake worker holds 1024 tokens of at most 16 bytes. */
const LONGEST = 1024 * 16 + 15

const asking = (prompt: CompletionRequest["prompt"]): CompletionRequest => ({ ...completion("hold"), prompt })

/** What the error tells of the tokens, undefined where the request passes. */
function leastOf(request: GenerationRequest, longestTokenBytes?: number): unknown {
  try {
    refuseHopeless(request, { contextLength: 10, longestTokenBytes })
    return undefined
  } catch (error) {
    return error instanceof XllmError ? error.details?.["n_prompt_tokens"] : error
  }
}

describe("a prompt that cannot fit", () => {
  test("is refused by the engine where the model is loaded", async () => {
    const { engine } = testEngine()
    await new Client(engine, "say 1").rest()
    const { signal } = new AbortController()
    const events = Array.fromAsync(engine.complete(asking("x".repeat(LONGEST + 1)), signal))
    expect(events).rejects.toMatchObject({
      code: "context_length_exceeded",
      status: 400,
      param: "prompt",
      details: { n_prompt_tokens: 1025, n_ctx: 1024, is_lower_bound: true },
      message: expect.stringContaining(
        "1024 tokens: the prompt has at least 1025; shorten it, or load the model",
      ),
    })
    expect(engine.status().queue).toMatchObject({ running: 0, waiting: 0 })
    const ids = Array(1025).fill(1)
    expect(Array.fromAsync(engine.complete(asking(ids), signal))).rejects.toMatchObject({
      details: { n_prompt_tokens: 1025 },
    })
    expect(engine.render(asking("x".repeat(LONGEST + 1)), signal)).rejects.toMatchObject({
      code: "context_length_exceeded",
    })
    // Somebody may want to see what they are.
    expect((await engine.render(asking(ids), signal)).tokens).toEqual([1, 2])
  })

  test("is refused as soon as the model is loaded that it waits for", async () => {
    const { engine, release } = testEngine({ model: "gated" })
    const { signal } = new AbortController()
    const events = engine.complete(asking("x".repeat(LONGEST + 1)), signal)[Symbol.asyncIterator]()
    const other = new Client(engine, "say 1")
    await events.next()
    for (let loading = await other.until("loading"); loading?.fraction !== 0.5;)
      loading = await other.until("loading")
    const end = (async () => {
      while ((await events.next()).done !== true);
    })()
    release()
    expect(end).rejects.toMatchObject({ code: "context_length_exceeded" })
    expect((await other.rest()).at(-1)?.type).toBe("done")
  })

  test("is left to the worker where only that can tell", async () => {
    const { engine } = testEngine()
    await new Client(engine, "say 1").rest()
    // As many tokens as fit, if all were of the longest kind; the fake worker counts none.
    const padding = "x".repeat(LONGEST - "say 1".length - 1)
    const { signal } = new AbortController()
    const events = await Array.fromAsync(engine.complete(asking(`say 1 ${padding}`), signal))
    expect(events.at(-1)?.type).toBe("done")
  })
})

describe("the least number of tokens of a request", () => {
  const chat = (...messages: readonly ChatMessage[]) => greedyChat(messages)

  test("is the text's length by that of the longest token", () => {
    expect(leastOf(greedy("x".repeat(44)), 4)).toBe(11)
    expect(leastOf(greedy("x".repeat(43)), 4)).toBeUndefined()
    expect(leastOf(greedy("x".repeat(30), { suffix: "y".repeat(14) }), 4)).toBe(11)
  })

  test("is the number of token ids", () => {
    expect(leastOf(greedy(Array(11).fill(1)))).toBe(11)
    expect(leastOf(greedy(Array(10).fill(1)))).toBeUndefined()
    expect(leastOf(greedy(Array(10).fill(1), { suffix: "yyyy" }), 4)).toBe(11)
  })

  test("is not known where the tokenizer rewrites text", () => {
    expect(leastOf(greedy("x".repeat(1_000_000)))).toBeUndefined()
  })

  test("leaves out what templates may trim", () => {
    const space = " \n\t".repeat(1_000)
    expect(leastOf(chat({ role: "user", content: `${space}x${space}` }), 4)).toBeUndefined()
    expect(leastOf(chat({ role: "user", content: ` x${" ".repeat(42)}x ` }), 4)).toBe(11)
    expect(leastOf(greedy(" ".repeat(44)), 4)).toBe(11)
  })

  test("is at least the number of turns of a chat", () => {
    const turns = (count: number) =>
      chat(
        ...Array.from(
          { length: count },
          (_, index) => ({ role: index % 2 ? "assistant" : "user", content: "" }) as const,
        ),
      )
    expect(leastOf(turns(11))).toBe(11)
    expect(leastOf(turns(10))).toBeUndefined()
  })

  test("leaves out what templates may leave out of a chat", () => {
    const long = "x".repeat(44)
    expect(leastOf(chat({ role: "user", content: long }), 4)).toBe(11)
    const others = (["system", "assistant", "tool", "developer"] as const).map((role) => ({
      role,
      content: long,
    }))
    expect(leastOf(chat(...others, { role: "user", content: "Hi" }), 4)).toBeUndefined()
  })
})
