import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { hasRealModel, REAL_MODEL_PATH, USUAL_SETTINGS } from "../support/real/real-model"
import { RealWorker } from "../support/real/real-worker"
import { greedy, greedyChat, prose } from "../support/requests"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(180_000)

/** What the model knows, and a word of the right answer. It is small: not every question is one for it. */
const KNOWN: readonly (readonly [question: string, answer: RegExp])[] = [
  ["What is the capital of France? Answer in one sentence.", /\bParis\b/],
  ["What is the capital of Germany?", /\bBerlin\b/],
  ["What is the capital of Japan?", /\bTokyo\b/],
  ["What is the capital of England?", /\bLondon\b/],
  ["What is the capital of Russia?", /\bMoscow\b/],
  ["What is the capital of Egypt?", /\bCairo\b/],
  ["What is the capital of China?", /\bBeijing\b/],
  ["What is the capital of Greece?", /\bAthens\b/],
  ["Name the capital city of France.", /\bParis\b/],
  ["How many days are there in a week?", /\b(7|seven)\b/],
  ["What is the chemical symbol of water?", /H2O|H₂O/],
  ["What is the opposite of hot?", /\bcold\b/],
  ["What is the opposite of up?", /\bdown\b/],
  ["What language is spoken in Brazil?", /\bPortuguese\b/],
  ["Which animal says meow?", /\bcat\b/i],
  ["Which ocean is the largest?", /\bPacific\b/],
]

describe.skipIf(!hasRealModel())("a real instruct model", () => {
  let worker: RealWorker
  beforeAll(async () => {
    worker = await RealWorker.start(REAL_MODEL_PATH, { settings: { ...USUAL_SETTINGS, slots: 16 } })
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test("answers a question, and ends its turn by itself", async () => {
    const run = await worker.run({ ...greedyChat("What is the capital of Germany?"), maxTokens: 32 })
    expect(run.text()).toContain("Berlin")
    expect(run.reason).toBe("stop")
    expect(run.text()).not.toContain("<|")
  })

  test("answers sixteen different chats at the same time, each sensibly", async () => {
    const runs = await worker.runAll(
      KNOWN.map(([question]) => ({ ...greedyChat(question), maxTokens: 24, cachePrompt: false })),
    )
    const wrong = KNOWN.flatMap(([question, answer], index) => {
      const text = runs[index]?.text() ?? ""
      return answer.test(text) ? [] : [{ question, text }]
    })
    expect(wrong).toEqual([])
  })

  test("answers the same with what the others have left in the cache", async () => {
    const counted = await worker.counted(async () => {
      const runs = await worker.runAll(
        KNOWN.slice(0, 8).map(([question]) => ({ ...greedyChat(question), maxTokens: 24 })),
      )
      for (const [index, run] of runs.entries()) expect(run.text()).toMatch(KNOWN[index]![1])
    })
    expect(counted.promptTokensCached).toBeGreaterThan(counted.promptTokensEvaluated)
  })

  test("remembers what was said before", async () => {
    const run = await worker.run({
      ...greedyChat([
        { role: "user", content: "My name is Alice." },
        { role: "assistant", content: "Hello Alice! Nice to meet you." },
        { role: "user", content: "What is my name?" },
      ]),
      maxTokens: 16,
    })
    expect(run.text()).toContain("Alice")
  })

  test("finds the usual continuation of a sentence more probable than an odd one", async () => {
    const judge = async (ending: string): Promise<number> => {
      const request = greedy(`The capital of France is${ending}`, {
        echo: true,
        topLogprobs: 0,
        maxTokens: 0,
      })
      const last = (await worker.run(request)).prompt.logprobs?.at(-1)
      return last !== undefined && "logprob" in last ? last.logprob : Number.NaN
    }
    const [usual, odd] = [await judge(" Paris"), await judge(" cheese")]
    expect(usual).toBeGreaterThan(odd + 3)
  })

  test("splits text into tokens that join to it again", async () => {
    for (const text of [prose(1, 200), "Grüße, 世界! 🌲\n\n\tx = 1", "<|im_start|> no"]) {
      const { tokens } = await worker.render(greedy(text))
      expect((await worker.render(greedy(tokens))).prompt).toBe(text)
    }
  })
})
