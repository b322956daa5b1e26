import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../src/domain/chat"
import { expectAgreement } from "../../support/agreement"
import { writeTinyModel } from "../../support/files/tiny-model"
import { LAYOUTS, RealWorker } from "../../support/real/real-worker"
import { greedy, prose } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")

beforeAll(() => void writeTinyModel(model))
afterAll(() => folder[Symbol.dispose]())

/** Nothing is cached for it, and it leaves the same state as if nothing had been. */
function cold(prompt: string): CompletionRequest {
  return greedy(prompt, { maxTokens: 24, topLogprobs: 5, cachePrompt: false })
}

function warm(prompt: string): CompletionRequest {
  return { ...cold(prompt), cachePrompt: true }
}

describe.each(LAYOUTS)("with the %s layout, the logits of a prompt are the same", (kvLayout) => {
  let worker: RealWorker
  beforeAll(async () => {
    worker = await RealWorker.start(model, { settings: { kvLayout, contextLength: 2048 } })
    expect(worker.info.kvLayout).toBe(kvLayout)
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test("alone and in a batch of sixteen", async () => {
    const prompts = Array.from({ length: 16 }, (_, seed) => prose(seed, 40 + 60 * seed))
    const alone = [await worker.run(cold(prompts[3]!)), await worker.run(cold(prompts[12]!))]
    const together = await worker.runAll(prompts.map(cold))
    expectAgreement(together[3]!, alone[0]!)
    expectAgreement(together[12]!, alone[1]!)
    expect(new Set(together.map((run) => run.text())).size).toBe(16)
  })

  test("cold and after the same prompt", async () => {
    const prompt = prose(101, 700)
    const first = await worker.run(cold(prompt))
    const again = await worker.run(warm(prompt))
    expect(again.done.usage.cachedTokens).toBe(again.done.usage.promptTokens - 1)
    expectAgreement(again, first)
  })

  test("cold and after a conversation that began the same", async () => {
    const shared = prose(102, 500)
    const prompt = `${shared} and a tail of its own`
    const reference = await worker.run(cold(prompt))
    await worker.run(warm(`${shared} and something else`))
    const reused = await worker.run(warm(prompt))
    expect(reused.done.usage.cachedTokens).toBeGreaterThan(100)
    expect(reused.done.usage.cachedTokens).toBeLessThan(reused.done.usage.promptTokens - 1)
    expectAgreement(reused, reference)
  })

  test("cold and as the continuation of its own answer", async () => {
    const first = await worker.run(warm(prose(103, 300)))
    const prompt = `${prose(103, 300)}${first.text()} and on`
    const reference = await worker.run(cold(prompt))
    expectAgreement(await worker.run(warm(prompt)), reference)
  })

  test("cold and copied from a conversation that is still running", async () => {
    const shared = prose(104, 800)
    const reference = await worker.run(cold(`${shared} tail`))
    const running = worker.submit(greedy(shared, { maxTokens: 400 }))
    await running.tokens(3)
    const copied = await worker.run(warm(`${shared} tail`))
    expect(running.events.at(-1)?.type).toBe("delta")
    expect(copied.done.usage.cachedTokens).toBeGreaterThan(300)
    expectAgreement(copied, reference)
    worker.cancel(running)
  })

  test("for all that wait for the same prefix, and for the one that computes it", async () => {
    const shared = prose(105, 1200)
    const prompts = Array.from({ length: 6 }, (_, index) => `${shared} ${index} tail`)
    const references = [await worker.run(cold(prompts[0]!)), await worker.run(cold(prompts[5]!))]
    const runs = await worker.runAll(prompts.map(warm))
    expectAgreement(runs[0]!, references[0]!)
    expectAgreement(runs[5]!, references[1]!)
  })

  test("when sequences come and go around a stream, which may have to change places", async () => {
    const reference = await worker.run({ ...cold(prose(106, 100)), maxTokens: 200 })
    const visitors = (round: number) =>
      Array.from({ length: 5 }, (_, index) => warm(prose(200 + 10 * round + index, 60 + 90 * index)))
    await worker.runAll(visitors(0).map((request, index) => ({ ...request, maxTokens: 5 + index })))
    const stream = worker.submit({ ...warm(prose(106, 100)), maxTokens: 200 })
    await stream.tokens(5)
    await worker.runAll(visitors(1).map((request, index) => ({ ...request, maxTokens: 5 + 12 * index })))
    await worker.runAll(visitors(2).map((request, index) => ({ ...request, maxTokens: 40 - 8 * index })))
    await stream.over
    expectAgreement(stream, reference)
  })
})

test("with flash attention, which rounds to half precision, they agree roughly", async () => {
  await using worker = await RealWorker.start(model, {
    settings: { flashAttention: "on", kvTypeK: "f16", kvTypeV: "f16" },
  })
  const prompts = [301, 302, 303, 304].map((seed) => prose(seed, 400))
  const alone = await worker.run(cold(prompts[1]!))
  const together = await worker.runAll(prompts.map(cold))
  expectAgreement(together[1]!, alone, 0.1)
})
