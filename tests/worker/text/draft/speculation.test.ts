import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import type { TextModelSettings } from "../../../../src/domain/settings"
import { expectAgreement } from "../../../support/agreement"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { LAYOUTS, RealWorker, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")

beforeAll(() => void writeTinyModel(model))
afterAll(() => folder[Symbol.dispose]())

/** Guesses whatever can be guessed. */
const ALWAYS: Partial<TextModelSettings> = { speculation: "ngram", contextLength: 1024, slots: 4 }

function asked(seed: number, options: Partial<CompletionRequest> = {}): CompletionRequest {
  return greedy(prose(seed, 150), { maxTokens: 60, topLogprobs: 3, ...options })
}

function drafts(run: Run): { readonly tokens: number; readonly accepted: number } {
  return run.done.timings.drafts ?? { tokens: 0, accepted: 0 }
}

describe.each(LAYOUTS)("with the %s layout", (kvLayout) => {
  let worker: RealWorker
  let plain: RealWorker
  beforeAll(async () => {
    const settings = { ...ALWAYS, kvLayout }
    worker = await RealWorker.start(model, { settings })
    plain = await RealWorker.start(model, { settings: { ...settings, speculation: "off" } })
  })
  afterAll(async () => {
    await worker[Symbol.asyncDispose]()
    await plain[Symbol.asyncDispose]()
  })

  test("an answer that came before is guessed as a whole, in a few steps", async () => {
    const reference = await plain.run(asked(1))
    expectAgreement(await worker.run(asked(1)), reference)
    let again: Run | undefined
    const { decodeCalls } = await worker.counted(async () => (again = await worker.run(asked(1))))
    expectAgreement(again!, reference)
    expect(decodeCalls).toBeLessThanOrEqual(6)
    expect(drafts(again!).accepted).toBeGreaterThanOrEqual(45)
    expect(again!.logprobs()).toHaveLength(60)
    expect(drafts(reference)).toEqual({ tokens: 0, accepted: 0 })
  })

  test("wrong guesses change nothing", async () => {
    // The pool has this answer, which the biases turn away from.
    const { tokens } = await plain.render(asked(2))
    const first = await worker.run(asked(2))
    const [, , , fourth, , , , , , tenth] = first.logprobs()
    const other = asked(2, {
      sampling: {
        temperature: 0,
        logitBias: [
          [tenth!.id, -100],
          [fourth!.id, -3],
        ],
      },
    })
    const runs = [await worker.run(other), await worker.run(other)]
    const reference = await plain.run(other)
    for (const run of runs) expectAgreement(run, reference)
    expect(drafts(runs[0]!).tokens).toBeGreaterThan(drafts(runs[0]!).accepted)
    // What was taken back is not in the cache: the conversation goes on as if it had never been there.
    const next = asked(0, { prompt: [...tokens, ...reference.logprobs().map(({ id }) => id)], maxTokens: 20 })
    expectAgreement(await worker.run(next), await plain.run({ ...next, cachePrompt: false }))
  })

  test("streams that guess run beside prompts and each other", async () => {
    const requests = [3, 4, 5, 6].map((seed) => asked(seed))
    await worker.runAll(requests)
    const long = asked(7, { prompt: prose(7, 1200), maxTokens: 8 })
    const runs = await worker.runAll([...requests.slice(0, 3), long, requests[3]!])
    for (const [index, request] of [...requests.slice(0, 3), long, requests[3]!].entries())
      expectAgreement(runs[index]!, await plain.run(request))
    expect(drafts(runs[1]!).accepted).toBeGreaterThan(20)
  })

  test("an answer ends in the middle of a draft as it would end without", async () => {
    const whole = await plain.run(asked(8))
    const text = whole.text()
    const stop = text.slice(Math.floor(text.length / 2), Math.floor(text.length / 2) + 3)
    const ids = whole.logprobs().map(({ id }) => id)
    await worker.run(asked(8))
    for (const options of [
      { stop: [stop] },
      { stop: [stop], keepsStop: true },
      { maxTokens: 17 },
      { maxTokens: 18 },
      { stopTokens: [ids[20]!] },
      { stopTokens: [ids[20]!], minTokens: 40 },
      { minTokens: 60, stopTokens: [ids[30]!] },
    ] satisfies Partial<CompletionRequest>[]) {
      const [run, reference] = [await worker.run(asked(8, options)), await plain.run(asked(8, options))]
      expect(run.text()).toBe(reference.text())
      expect(run.finish()).toEqual(reference.finish())
      expect(run.logprobs().map(({ id }) => id)).toEqual(reference.logprobs().map(({ id }) => id))
      // And the next answer finds the cache in order.
      expectAgreement(await worker.run(asked(8)), whole)
    }
  })

  test("a request that leaves in the middle of its drafts leaves the others theirs", async () => {
    const reference = await plain.run(asked(9, { maxTokens: 300 }))
    await worker.run(asked(9, { maxTokens: 300 }))
    const leaving = worker.submit(asked(10, { maxTokens: 300 }))
    const staying = worker.submit(asked(9, { maxTokens: 300 }))
    await leaving.tokens(5)
    worker.cancel(leaving)
    await staying.over
    expectAgreement(staying, reference)
    expectAgreement(await worker.run(asked(10)), await plain.run(asked(10)))
  })

  test("choices of one prompt guess each for itself", async () => {
    const request = asked(11, { n: 3, sampling: { temperature: 1, seed: 5 }, maxTokens: 40 })
    const reference = await plain.run(request)
    await worker.run(request)
    const run = await worker.run(request)
    for (const choice of [0, 1, 2]) expect(run.text(choice)).toBe(reference.text(choice))
    expect(drafts(run).accepted).toBeGreaterThan(60)
  })

  test("a request's own range counts", async () => {
    await worker.run(asked(12))
    expect(drafts(await worker.run(asked(12, { speculation: { mode: "off" } })))).toEqual({
      tokens: 0,
      accepted: 0,
    })
    expect(drafts(await worker.run(asked(12, { speculation: { most: 0 } })))).toEqual({
      tokens: 0,
      accepted: 0,
    })
    const { decodeCalls } = await worker.counted(() => worker.run(asked(12, { speculation: { most: 2 } })))
    expect(decodeCalls).toBeGreaterThanOrEqual(20)
    expect(decodeCalls).toBeLessThanOrEqual(24)
  })
})

describe("answers of another owner", () => {
  test("are not guessed from", async () => {
    await using worker = await RealWorker.start(model, { settings: ALWAYS })
    const own = (cacheSalt?: string): CompletionRequest =>
      asked(20, { maxTokens: 40, ...(cacheSalt !== undefined && { cacheSalt }) })
    await worker.run(own("a"))
    const others = [
      await worker.run(own("b")),
      await worker.run(own()),
      await worker.run(asked(20, { cachePrompt: false })),
    ]
    const most = Math.max(...others.map((run) => drafts(run).accepted))
    expect(drafts(await worker.run(own("a"))).accepted).toBeGreaterThan(most + 20)
  })

  test("of requests without a cache are not remembered", async () => {
    await using worker = await RealWorker.start(model, { settings: ALWAYS })
    await worker.run(asked(21, { cachePrompt: false }))
    expect(drafts(await worker.run(asked(21))).accepted).toBeLessThan(20)
  })
})

describe("an expected text", () => {
  test("is guessed from its beginning, and its tokens are counted", async () => {
    await using worker = await RealWorker.start(model, { settings: { ...ALWAYS, speculation: "auto" } })
    const plain = await worker.run(asked(30, { speculation: { mode: "off" } }))
    await using fresh = await RealWorker.start(model, { settings: ALWAYS })
    const prediction = plain.text()
    const run = await fresh.run(asked(30, { prediction }))
    expectAgreement(run, plain)
    const { accepted, rejected } = run.done.usage.prediction!
    expect(accepted).toBeGreaterThan(0)
    expect(drafts(run).accepted).toBeGreaterThan(20)
    const other = await fresh.run(asked(31, { prediction: "nothing of the kind is said" }))
    expect(other.done.usage.prediction!.accepted).toBeLessThanOrEqual(accepted)
    expect(other.done.usage.prediction!.rejected).toBeGreaterThan(0)
    expect(accepted + rejected).toBeGreaterThan(40)
  })
})

test("a conversation whose drafts meet the end of its context ends there", async () => {
  await using worker = await RealWorker.start(model, {
    settings: { ...ALWAYS, contextLength: 256, slots: 1 },
  })
  const request = greedy(prose(40, 200), {
    topLogprobs: 1,
    maxTokens: Number.POSITIVE_INFINITY,
    sampling: { temperature: 0, ignoreEos: true },
  })
  const first = await worker.run(request)
  const again = await worker.run(request)
  expect(again.finish()).toEqual(first.finish())
  expect(again.reason).toBe("length")
  expect(again.text()).toBe(first.text())
  expect(drafts(again).accepted).toBeGreaterThan(50)
})

test("a cache that grows under drafts, and streams that are paused for want of room, go on as without", async () => {
  const slots = 4
  const unified = { layout: "unified", layoutIsFixed: true } as const
  const kv = growingPlan({ contextLength: 512, slots, sequences: 4, cells: 256, mostCells: 768, ...unified })
  await using worker = await RealWorker.start(model, { kv, settings: { ...ALWAYS, contextLength: 512 } })
  await using plain = await RealWorker.start(model, { settings: { slots: 1, contextLength: 512 } })
  const requests = [50, 51, 52, 53].map((seed) => asked(seed, { maxTokens: 200 }))
  const runs = [...(await worker.runAll(requests)), ...(await worker.runAll(requests))]
  for (const [index, run] of runs.entries())
    expectAgreement(run, await plain.run({ ...requests[index % 4]!, cachePrompt: false }))
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
  expect(worker.counters.draftTokensAccepted).toBeGreaterThan(100)
})

test("a sliding window takes guesses back", async () => {
  const path = join(folder.path, "swa.gguf")
  writeTinyModel(path, { architecture: "swa", slidingWindow: 32 })
  await using worker = await RealWorker.start(path, { settings: ALWAYS })
  await using plain = await RealWorker.start(path, { settings: { slots: 1, contextLength: 1024 } })
  for (let round = 0; round < 2; round++)
    for (const seed of [60, 61, 62]) {
      const request = asked(seed, { maxTokens: 120, sampling: { temperature: 1, seed } })
      expectAgreement(await worker.run(request), await plain.run(request))
    }
  expect(worker.counters.draftTokensAccepted).toBeGreaterThan(100)
  expect(worker.counters.draftTokens).toBeGreaterThan(worker.counters.draftTokensAccepted)
})
