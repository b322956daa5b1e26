import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { SamplingParameters } from "../../../../src/domain/chat"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { RealWorker } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
let worker: RealWorker

beforeAll(async () => {
  worker = await RealWorker.start(writeTinyModel(join(folder.path, "tiny.gguf"), { logitScale: 1 }).path)
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const after = { topLogprobs: 8, maxTokens: 16, cachePrompt: false, logprobsAfterSampling: true }

const samplings: readonly Partial<SamplingParameters>[] = [
  { topK: 5 },
  { topP: 0.4, topK: 0 },
  { minP: 0.2, xtcProbability: 0.5 },
  { mirostat: 2 },
]

test.each(samplings)("with %j the probabilities are those of the tokens that are left", async (sampling) => {
  const full = { temperature: 1.5, seed: 7, ...sampling }
  const run = await worker.run(greedy(prose(1, 60), { ...after, topLogprobs: 512, sampling: full }))
  expect(run.logprobs()).toHaveLength(16)
  for (const { id, logprob, top } of run.logprobs()) {
    expect(top.reduce((sum, each) => sum + Math.exp(each.logprob), 0)).toBeCloseTo(1, 4)
    expect(top.find((each) => each.id === id)?.logprob).toBe(logprob)
    expect(top.map((each) => each.logprob)).toEqual(top.map((each) => each.logprob).sort((a, b) => b - a))
    if (sampling.topK === 5) expect(top).toHaveLength(5)
  }
})

test("the tokens are the same as without them", async () => {
  const sampling = { temperature: 1.5, seed: 7, topK: 20 }
  const shown = await worker.run(greedy(prose(2, 60), { ...after, sampling }))
  const usual = await worker.run(greedy(prose(2, 60), { ...after, logprobsAfterSampling: false, sampling }))
  expect(shown.text()).toBe(usual.text())
  expect(shown.logprobs().every(({ top }) => top.length === 8)).toBe(true)
})

test("a token that is the only choice has all the probability", async () => {
  const run = await worker.run(greedy(prose(3, 60), after))
  for (const { id, bytes, logprob, top } of run.logprobs()) {
    expect(logprob).toBe(0)
    expect(top).toEqual([{ id, bytes, logprob: 0 }])
  }
})
