import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { writeTinyModel } from "../../support/files/tiny-model"
import { LAYOUTS, RealWorker, type Run } from "../../support/real/real-worker"
import { greedy, prose } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")

beforeAll(() => {
  // So large that a step takes longer than a request's way to it.
  writeTinyModel(model, { dim: 192, layers: 3, ffn: 384 })
})
afterAll(() => folder[Symbol.dispose]())

type Step = RealWorker["steps"][number]

/** Has anything been decoded since the step before? */
function computed({ counters }: Step, index: number, steps: readonly Step[]): boolean {
  return counters.decodeCalls > (steps[index - 1]?.counters.decodeCalls ?? 0)
}

describe.each(LAYOUTS)("with the %s layout", (kvLayout) => {
  let worker: RealWorker
  beforeAll(async () => {
    worker = await RealWorker.start(model, { settings: { kvLayout, contextLength: 1280 } })
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test("16 clients with 32 tokens each are computed together", async () => {
    const requests = Array.from({ length: 16 }, (_, seed) => greedy(prose(seed, 30), { maxTokens: 32 }))
    const counted = await worker.counted(() => worker.runAll(requests))
    expect(counted.tokensGenerated).toBe(16 * 32)
    expect(counted.decodeCalls).toBeLessThanOrEqual(40)
    expect(counted.decodeCalls).toBeGreaterThanOrEqual(32)
  })

  test("every step tells its sequences, its tokens and the cells that are in use", async () => {
    const before = worker.steps.length
    const request = greedy(prose(90, 40), { maxTokens: 6, cachePrompt: false })
    const { decodeCalls } = await worker.counted(() => worker.run(request))
    const usages = worker.steps.slice(before).flatMap(({ usage }) => usage ?? [])
    expect(usages).toHaveLength(decodeCalls)
    expect(usages.map(({ sequences }) => sequences)).toEqual(usages.map(() => 1))
    expect(usages.slice(1).map(({ tokens }) => tokens)).toEqual(usages.slice(1).map(() => 1))
    const cells = usages.map(({ kvCellsUsed }) => kvCellsUsed)
    expect(cells.slice(1)).toEqual(cells.slice(0, -1).map((used) => used + 1))
  })

  test("16 clients that share 1,000 tokens have them computed once", async () => {
    const shared = prose(51, 2000)
    const { tokens } = await worker.render(greedy(shared))
    expect(tokens.length).toBeGreaterThan(1000)
    const requests = Array.from({ length: 16 }, (_, index) =>
      greedy([...tokens.slice(0, 1000), ...tokens.slice(index, index + 10)], { maxTokens: 4 }),
    )
    const counted = await worker.counted(() => worker.runAll(requests))
    expect(counted.promptTokensEvaluated + counted.promptTokensCached).toBe(16 * 1010)
    expect(counted.promptTokensEvaluated).toBeLessThanOrEqual(1000 + 16 * 10)
  })

  test("8 choices have their prompt computed once", async () => {
    const request = greedy(prose(52, 900), { n: 8, maxTokens: 4 })
    const { tokens } = await worker.render(request)
    const counted = await worker.counted(() => worker.run(request))
    // Each choice computes the last token for itself: it needs the logits.
    expect(counted.promptTokensEvaluated).toBeLessThanOrEqual(tokens.length + 7)
    expect(counted.promptTokensEvaluated + counted.promptTokensCached).toBe(8 * tokens.length)
  })

  test("a prompt that was just answered is cached but for its last token", async () => {
    const request = greedy(prose(53, 900), { maxTokens: 4 })
    const { tokens } = await worker.render(request)
    await worker.run(request)
    const counted = await worker.counted(() => worker.run(request))
    expect(counted).toMatchObject({ promptTokensEvaluated: 1, promptTokensCached: tokens.length - 1 })
  })

  test("cache_prompt false computes all of it again", async () => {
    const request = greedy(prose(53, 900), { maxTokens: 4, cachePrompt: false })
    const { tokens } = await worker.render(request)
    const counted = await worker.counted(() => worker.run(request))
    expect(counted).toMatchObject({ promptTokensEvaluated: tokens.length, promptTokensCached: 0 })
  })

  test("what was used longest ago is forgotten first", async () => {
    const old = greedy(prose(60, 300), { maxTokens: 1 })
    const kept = greedy(prose(61, 300), { maxTokens: 1 })
    await worker.run(old)
    await worker.run(kept)
    for (let seed = 0; seed < 15; seed++) {
      await worker.run(greedy(prose(70 + seed, 100), { maxTokens: 1 }))
      if (seed % 4 === 0) await worker.run(kept)
    }
    expect((await worker.run(kept)).done.usage.cachedTokens).toBeGreaterThan(100)
    expect((await worker.run(old)).done.usage.cachedTokens).toBeLessThan(16)
  })
})

describe("while a prompt of 2,000 tokens comes in", () => {
  test("a running stream gets a token in every step, and the newcomer's first follows its last chunk", async () => {
    await using worker = await RealWorker.start(model, { settings: { contextLength: 2560 } })
    const stream = worker.submit(greedy("a", { maxTokens: 2000 }))
    await stream.tokens(3)
    const { tokens } = await worker.render(greedy(prose(1, 4000)))
    const newcomer = worker.submit(greedy(tokens.slice(0, 2000), { maxTokens: 1 }))
    await newcomer.over
    expect(newcomer.done.usage).toMatchObject({ promptTokens: 2000, cachedTokens: 0 })
    const tells = (run: Run) => (step: Step) => step.events.some(({ id }) => id === run.id)
    const accepted = worker.steps.findIndex(tells(newcomer))
    const over = worker.steps.findLastIndex(tells(newcomer))
    const during = worker.steps.filter(
      (step, index, all) => index > accepted && index <= over && computed(step, index, all),
    )
    // The speed is unknown at first, so that no machine computes the prompt in one step.
    expect(during.length).toBeGreaterThan(1)
    expect(during.filter(tells(stream))).toEqual(during)
    expect(during.filter(tells(newcomer))).toEqual(during.slice(-1))
    worker.cancel(stream)
  })

  test("its progress is told before the first step, with what is cached, and then step by step", async () => {
    await using worker = await RealWorker.start(model, { settings: { contextLength: 2560 } })
    const { tokens } = await worker.render(greedy(prose(1, 4000)))
    const run = await worker.run(greedy(tokens.slice(0, 2000), { maxTokens: 1, returnProgress: true }))
    const processed = run.progress.map((event) => event.processed)
    expect(processed.length).toBeGreaterThan(2)
    expect(processed).toEqual([...processed].sort((a, b) => a - b))
    expect(run.progress[0]).toMatchObject({ total: 2000, cached: 0, processed: 0 })
    expect(run.progress.at(-1)).toMatchObject({ total: 2000, cached: 0, processed: 2000 })
    const first = worker.steps.find(({ events }) =>
      events.some((entry) => "event" in entry && entry.event.type === "progress"),
    )
    expect(first?.counters.decodeCalls).toBe(0)
    const again = await worker.run(greedy(tokens.slice(0, 2000), { maxTokens: 1, returnProgress: true }))
    expect(again.progress).toMatchObject([
      { total: 2000, cached: 1999, processed: 1999 },
      { total: 2000, cached: 1999, processed: 2000 },
    ])
  })
})
