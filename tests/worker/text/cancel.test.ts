import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { expectAgreement } from "../../support/agreement"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker, type Run } from "../../support/real/real-worker"
import { greedy, prose } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")
let worker: RealWorker
/** More than two batches hold. */
let long: readonly number[]

beforeAll(async () => {
  writeTinyModel(model, { contextLength: 8192 })
  worker = await RealWorker.start(model, { settings: { slots: 4 } })
  long = (await worker.render(greedy(prose(1, 12_000)))).tokens
  expect(long.length).toBeGreaterThan(5000)
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** Waits until the worker has dealt with everything that was sent so far; requests may be going on. */
async function settled(): Promise<void> {
  await worker.render(greedy("a"))
}

/** Is nothing computed any more, without anybody asking for it? */
async function expectIdle(): Promise<void> {
  await settled()
  const { decodeCalls } = worker.counters
  for (let turn = 0; turn < 5; turn++) await settled()
  expect(worker.counters.decodeCalls).toBe(decodeCalls)
}

test("a cancelled answer is not computed any further", async () => {
  const run = worker.submit(greedy(prose(2, 50), { maxTokens: 4000 }))
  await run.tokens(3)
  worker.cancel(run)
  await expectIdle()
  expect(run.events.some((event) => event.type === "finish" || event.type === "done")).toBe(false)
})

test("nothing more is told of a cancelled request", async () => {
  const run = worker.submit(greedy(prose(3, 50), { maxTokens: 4000 }))
  const other = worker.submit(greedy(prose(4, 50), { maxTokens: 200 }))
  await run.tokens(3)
  worker.cancel(run)
  await settled()
  const told = run.events.length
  await other.over
  expect(run.events.length).toBe(told)
})

test("a cancelled prompt is not computed any further", async () => {
  const counted = await worker.counted(async () => {
    const run = worker.submit(greedy(long, { cachePrompt: false }))
    await run.first("prompt")
    worker.cancel(run)
    await expectIdle()
  })
  expect(counted.promptTokensEvaluated).toBeLessThan(long.length)
  expect(counted.tokensGenerated).toBe(0)
})

test("a request that is cancelled with its first word is not computed at all", async () => {
  const counted = await worker.counted(async () => {
    worker.cancel(worker.submit(greedy(long, { cachePrompt: false })))
    await expectIdle()
  })
  expect(counted.promptTokensEvaluated).toBe(0)
})

test("all choices of a cancelled request end", async () => {
  const run = worker.submit(greedy(prose(5, 50), { n: 4, maxTokens: 4000 }))
  await run.tokens(8)
  worker.cancel(run)
  await expectIdle()
})

test("the slots are free for those that wait", async () => {
  const busy: Run[] = []
  for (let index = 0; index < 4; index++) {
    const run = worker.submit(greedy(prose(10 + index, 50), { maxTokens: 4000 }))
    await run.tokens(1)
    busy.push(run)
  }
  const waiting = worker.submit(greedy(prose(20, 50), { maxTokens: 3 }))
  await waiting.first("prompt")
  await busy[0]!.tokens(busy[0]!.shown + 5)
  expect(waiting.shown).toBe(0)
  worker.cancel(busy[2]!)
  await waiting.over
  expect(waiting.done.usage.completionTokens).toBe(3)
  for (const run of busy) worker.cancel(run)
  await expectIdle()
})

test("those that wait for a cancelled prompt go on by themselves", async () => {
  const fresh = [302, ...long.slice(1, 3000)]
  const reference = await worker.run(
    greedy([...fresh, 301], { maxTokens: 8, topLogprobs: 2, cachePrompt: false }),
  )
  const leader = worker.submit(greedy([...fresh, 300], { maxTokens: 8, cachePrompt: false }))
  const followers = [301, 301, 303].map((tail) =>
    worker.submit(greedy([...fresh, tail], { maxTokens: 8, topLogprobs: 2 })),
  )
  await leader.first("prompt")
  worker.cancel(leader)
  await Promise.all(followers.map((run) => run.over))
  expectAgreement(followers[0]!, reference)
  expectAgreement(followers[1]!, reference)
  expect(followers[2]!.done.usage.completionTokens).toBe(8)
})

test("what a cancelled prompt had computed is not computed again", async () => {
  const fresh = [303, ...long.slice(1, 3000)]
  const first = worker.submit(greedy(fresh, { maxTokens: 500 }))
  await first.tokens(1)
  worker.cancel(first)
  const again = await worker.run(greedy(fresh, { maxTokens: 1 }))
  expect(again.done.usage.cachedTokens).toBe(fresh.length - 1)
})
