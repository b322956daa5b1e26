import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../src/domain/chat"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker, type Run, type Step } from "../../support/real/real-worker"
import { greedy, greedyChat, prose } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

setDefaultTimeout(120_000)

/**
 * A stall is what everybody sees: seconds without a step. Far more than a step takes on a busy machine, and far less
 * than what is tested here took on the decode thread.
 */
const STALL_MS = 3000

const VOCABULARY = 60_000
const CONTEXT = 4096
const SLOTS = 4

const folder = tempFolder()
let worker: RealWorker

beforeAll(async () => {
  const { path } = writeTinyModel(join(folder.path, "wide.gguf"), {
    vocab: VOCABULARY,
    dim: 32,
    layers: 1,
    contextLength: CONTEXT,
  })
  worker = await RealWorker.start(path, { settings: { slots: SLOTS, contextLength: CONTEXT } })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function tells({ events }: Step, run: Run): boolean {
  return events.some((entry) => entry.id === run.id && "event" in entry && entry.event.type === "delta")
}

/** Runs `request` beside a stream, which must get a token in every step, and a step all the time. */
async function expectNoCost(request: Parameters<RealWorker["submit"]>[0]): Promise<Run> {
  const stream = worker.submit(greedy(prose(1, 50), { maxTokens: 4000 }))
  await stream.tokens(2)
  const before = worker.steps.length
  const run = worker.submit(request)
  await run.over
  const during = worker.steps.slice(before)
  expect(stream.error).toBeUndefined()
  await stream.tokens(stream.shown + 2)
  worker.cancel(stream)
  const computed = during.filter(({ usage }) => usage !== undefined)
  expect(computed.filter((step) => !tells(step, stream))).toEqual([])
  const times = worker.steps.slice(before - 1).map(({ at }) => at)
  const longest = times.slice(1).reduce((most, at, index) => Math.max(most, at - times[index]!), 0)
  expect(longest).toBeLessThan(STALL_MS)
  return run
}

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]

/** What every request can ask for most, one by one: what is sent, and that it is answered. */
const LARGEST: Readonly<Record<string, Partial<CompletionRequest>>> = {
  // Nearly every token of this vocabulary ends with the beginning of each of them.
  "64 sequence breakers of 40 characters": {
    n: SLOTS,
    sampling: {
      temperature: 0,
      dryMultiplier: 1,
      drySequenceBreakers: LETTERS.map((letter) => `>${letter}${"ab".repeat(19)}`),
    },
  },
  "6,000 sequence breakers": {
    sampling: {
      temperature: 0,
      dryMultiplier: 1,
      drySequenceBreakers: Array.from({ length: 6000 }, (_, number) => `>${number}`),
    },
  },
  "a lookback of 2,000,000,000 tokens": {
    n: SLOTS,
    sampling: {
      temperature: 0,
      repeatPenalty: 1.1,
      repeatLastN: 2_000_000_000,
      dryMultiplier: 1,
      dryPenaltyLastN: 2_000_000_000,
    },
  },
  "a bias for each token of the vocabulary": {
    n: SLOTS,
    sampling: {
      temperature: 0,
      logitBias: Array.from({ length: VOCABULARY }, (_, token) => [token, token % 7] as const),
    },
  },
  "1,000 biased texts": {
    sampling: {
      temperature: 0,
      logitBias: Array.from({ length: 1000 }, (_, number) => [`text ${number}`, 1] as const),
    },
  },
  "128 choices": { n: 128, maxTokens: 2 },
  "the log probabilities of 20 tokens for each of 4 choices": { n: SLOTS, topLogprobs: 20 },
  "16 stop texts of 100,000 characters": {
    stop: LETTERS.slice(0, 16).map((letter) => "e".repeat(100_000) + letter),
    sampling: { temperature: 0, logitBias: [["e", 100]] },
  },
}

test.each(Object.entries(LARGEST))("%s cost a running stream nothing", async (_, asked) => {
  const run = await expectNoCost(greedy(prose(2, 200), { maxTokens: 12, ...asked }))
  const { n = 1, maxTokens = 12 } = asked
  expect(run.done.usage.completionTokens).toBe(n * maxTokens)
})

test("the log probabilities of a whole prompt cost a running stream nothing", async () => {
  const { tokens } = await worker.render(greedy(prose(3, 6000)))
  const run = await expectNoCost(greedy(tokens.slice(0, 1500), { echo: true, topLogprobs: 20, maxTokens: 2 }))
  expect(run.done.usage.completionTokens).toBe(2)
  expect(run.prompt.logprobs).toHaveLength(1500)
})

test.each([
  [
    "400,000 messages",
    greedyChat(Array.from({ length: 400_000 }, () => ({ role: "user", content: "" }) as const)),
  ],
  ["2,000,000 token ids", greedy(Array.from({ length: 2_000_000 }, (_, id) => id % VOCABULARY))],
])("%s are refused, and cost a running stream nothing", async (_, request) => {
  const run = await expectNoCost(request)
  expect(run.error).toMatchObject({ code: "context_length_exceeded" })
})
