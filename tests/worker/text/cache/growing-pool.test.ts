import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import type { KvPlan } from "../../../../src/domain/settings"
import { expectAgreement, TOLERANCE } from "../../../support/agreement"
import { adapterPart, writeTinyAdapter } from "../../../support/files/tiny-adapter"
import { type TinyModelOptions, writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { RealWorker, type RealWorkerOptions, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

interface Start extends Pick<RealWorkerOptions, "grant" | "parts"> {
  readonly model?: TinyModelOptions
  readonly plan?: Partial<KvPlan>
}

function start({ model = {}, plan = {}, ...options }: Start = {}): Promise<RealWorker> {
  const { path } = writeTinyModel(join(folder.path, `${Bun.hash(JSON.stringify(model))}.gguf`), model)
  const kv = growingPlan(plan)
  return RealWorker.start(path, {
    ...options,
    kv,
    settings: { slots: kv.slots, contextLength: kv.contextLength },
  })
}

/** A pool that never has to grow. */
const FIXED: Partial<KvPlan> = { layout: "split", cells: 16 * 4096, mostCells: 16 * 4096 }

function asked(prompt: string | readonly number[], more: Partial<CompletionRequest> = {}): CompletionRequest {
  return greedy(prompt, { maxTokens: 50, topLogprobs: 2, ...more })
}

/** The two best tokens of every step are far enough apart that no rounding chooses between them. */
function expectDecided(run: Run): void {
  const margins = run
    .logprobs()
    .map(({ top: [first, second] }) => (first?.logprob ?? 0) - (second?.logprob ?? 0))
  expect(Math.min(...margins)).toBeGreaterThan(1e-3)
}

describe.each(["llama", "swa", "mamba"] as const)("a model of type %s", (architecture) => {
  test("continues an answer over a growth with the same tokens, and evaluates no prompt token again", async () => {
    const request = asked(prose(3, 150), { maxTokens: 400 })
    const model = { architecture, logitScale: 60 }
    await using fixed = await start({ model, plan: FIXED })
    const reference = await fixed.run(request)
    expectDecided(reference)
    await using worker = await start({ model })
    const run = await worker.run(request)
    expect(run.text()).toBe(reference.text())
    // Logits that are twelve times as large as usual are rounded by twelve times as much: when the pool grows decides
    // in which order a window's cells are added up.
    expectAgreement(run, reference, 12 * TOLERANCE)
    expect(worker.counters.kvGrowths).toBeGreaterThan(0)
    expect(worker.caches.at(-1)).toMatchObject({ layout: "unified" })
    expect(worker.counters).toMatchObject({
      promptTokensEvaluated: run.done.usage.promptTokens,
      preemptions: 0,
    })
  })
})

test("a prompt that is longer than a share waits for the growth, and is evaluated once", async () => {
  await using worker = await start()
  const run = await worker.run(asked(prose(1, 1500)))
  expect(run.reason).toBe("length")
  expect(worker.counters.promptTokensEvaluated).toBe(run.done.usage.promptTokens)
  expect(worker.caches.at(-1)).toEqual({ layout: "unified", cells: 4096, sequences: 16, bytes: 4096 * 512 })
})

test("streams go on while the pool grows for a prompt that does not fit", async () => {
  const stream = asked(prose(2, 120), { maxTokens: 150 })
  const long = asked(prose(1, 2500))
  await using fixed = await start({ plan: FIXED })
  const [streamed, read] = await fixed.runAll([stream, long])
  await using worker = await start({ plan: { contextLength: 4096 } })
  const runs = [worker.submit(stream)]
  await runs[0]?.tokens(5)
  runs.push(worker.submit(long))
  await Promise.all(runs.map((run) => run.over))
  expectAgreement(runs[0]!, streamed!)
  expectAgreement(runs[1]!, read!)
  expect(worker.counters).toMatchObject({ promptTokensEvaluated: promptTokens(runs), preemptions: 0 })
})

test("a growth while prompts are evaluated loses none of their tokens", async () => {
  const requests = [1, 2, 3].map((seed) => asked(prose(seed, 2400)))
  await using fixed = await start({ plan: FIXED })
  const references = await fixed.runAll(requests)
  await using worker = await start({ plan: { layout: "unified", cells: 4096, layoutIsFixed: true } })
  const first = worker.submit({ ...requests[0]!, returnProgress: true })
  await first.first("progress")
  const runs = [first, ...requests.slice(1).map((request) => worker.submit(request))]
  await Promise.all(runs.map((run) => run.over))
  for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
  expect(worker.counters).toMatchObject({ promptTokensEvaluated: promptTokens(runs), preemptions: 0 })
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
})

test("16 streams that outgrow their shares at once get larger shares", async () => {
  const requests = Array.from({ length: 16 }, (_, seed) => asked(prose(seed, 140), { maxTokens: 200 }))
  await using fixed = await start({ plan: FIXED })
  const references = await fixed.runAll(requests)
  await using worker = await start()
  const runs = await worker.runAll(requests)
  for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
  expect(worker.counters).toMatchObject({ promptTokensEvaluated: promptTokens(runs), preemptions: 0 })
  expect(worker.caches.at(-1)).toMatchObject({ layout: "split", cells: 8192 })
})

test("16 clients with one prefix share its cells, over a growth too", async () => {
  const shared = prose(9, 400)
  const requests = Array.from({ length: 16 }, (_, seed) => asked(`${shared} ${prose(seed, 20)}`))
  await using fixed = await start({ plan: FIXED })
  const references = await fixed.runAll(requests)
  await using worker = await start()
  const runs = await worker.runAll(requests)
  for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
  expect(worker.caches.at(-1)).toMatchObject({ layout: "unified", cells: 4096 })
  // The prefix once, and what each has of its own.
  expect(worker.counters.promptTokensEvaluated).toBeLessThan(400 + 16 * 24)
})

test("cells that were copied to every share are shared again in one pool", async () => {
  const shared = prose(9, 150)
  const requests = Array.from({ length: 8 }, (_, seed) =>
    asked(`${shared} ${prose(seed, 20)}`, { maxTokens: 20 }),
  )
  await using worker = await start({ plan: { slots: 8, sequences: 8 } })
  const before = await worker.runAll(requests)
  await worker.run(asked(prose(1, 1500)))
  const cells = Math.max(...worker.steps.slice(-3).map(({ usage }) => usage?.kvCellsUsed ?? 0))
  expect(cells).toBeLessThan(1600 + 150 + 8 * 45)
  const { promptTokensEvaluated } = await worker.counted(async () => {
    for (const [index, run] of (await worker.runAll(requests.slice(1))).entries())
      expectAgreement(run, before[index + 1]!)
  })
  expect(promptTokensEvaluated).toBeLessThan(8 * 24)
})

test("the choices of one request go on together", async () => {
  const request = asked(prose(4, 200), { n: 4, maxTokens: 150 })
  await using fixed = await start({ plan: FIXED })
  const reference = await fixed.run(asked(prose(4, 200), { maxTokens: 150 }))
  await using worker = await start()
  const run = await worker.run(request)
  for (const choice of [0, 1, 2, 3]) expectAgreement(run, reference, undefined, choice)
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
  expect(worker.counters.preemptions).toBe(0)
})

test("an adapter is applied to the larger context too", async () => {
  const model = { dim: 64 }
  const adapter = writeTinyAdapter(join(folder.path, "adapter.gguf"), model)
  const parts = [adapterPart(adapter, 2)]
  const request = asked(prose(5, 150), { maxTokens: 300 })
  await using fixed = await start({ model, parts, plan: FIXED })
  const reference = await fixed.run(request)
  await using plain = await start({ model, plan: FIXED })
  expect((await plain.run(request)).text()).not.toBe(reference.text())
  await using worker = await start({ model, parts })
  expectAgreement(await worker.run(request), reference)
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
})

describe("where the server grants less", () => {
  test("the old context is given up before the new one is made", async () => {
    const stream = asked(prose(2, 120), { maxTokens: 300 })
    const long = asked(prose(1, 1500))
    await using fixed = await start({ plan: FIXED })
    const references = await fixed.runAll([stream, long])
    await using worker = await start({ grant: () => "least" })
    const runs = await worker.runAll([stream, long])
    for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
    expect(worker.counters).toMatchObject({ promptTokensEvaluated: promptTokens(runs), preemptions: 0 })
    expect(worker.memoryRequests[0]?.least?.ramBytes).toBeLessThan(
      worker.memoryRequests[0]?.extra.ramBytes ?? 0,
    )
  })

  test("streams that do not fit pause, and go on later", async () => {
    const requests = [1, 2, 3, 4].map((seed) => asked(prose(seed, 100), { maxTokens: 150 }))
    await using fixed = await start({ plan: FIXED })
    const references = await fixed.runAll(requests)
    await using worker = await start({
      plan: { layout: "unified", cells: 512, slots: 4, layoutIsFixed: true },
      grant: () => "no",
    })
    const runs = await worker.runAll(requests)
    for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
    expect(worker.counters.preemptions).toBeGreaterThan(0)
    expect(worker.counters.kvGrowths).toBe(0)
  })

  test("a prompt that fits no pool is refused, with what would help, and others go on", async () => {
    await using worker = await start({ grant: () => "no" })
    const other = worker.submit(asked(prose(2, 100)))
    const failure = await worker.failure(asked(prose(1, 1500)))
    expect(failure).toMatchObject({ code: "not_enough_memory", status: 507 })
    expect(failure.message).toMatch(
      /^model 'm' needs .* of memory for a conversation of \d+ tokens, .*cache-type-k q8_0/,
    )
    await other.over
    expect(other.reason).toBe("length")
  })
})

test("a context that cannot be made leaves the old one as it was", async () => {
  // llama.cpp has at most 256 sequences.
  await using worker = await start({ plan: { slots: 300, sequences: 4, cells: 1024 } })
  const runs = await worker.runAll([1, 2, 3, 4, 5, 6].map((seed) => asked(prose(seed, 100))))
  for (const run of runs) expect(run.done.usage.completionTokens).toBe(50)
  expect(worker.counters).toMatchObject({ kvGrowths: 0, promptTokensEvaluated: promptTokens(runs) })
  // Reported as it is, which ends what was granted.
  expect(worker.caches.at(-1)).toMatchObject({ layout: "split", cells: 1024, sequences: 4 })
})

test("more requests than sequences get more sequences", async () => {
  await using worker = await start({ plan: { slots: 8, sequences: 2, cells: 512 } })
  const runs = await worker.runAll([1, 2, 3, 4, 5].map((seed) => asked(prose(seed, 100), { maxTokens: 100 })))
  for (const run of runs) expect(run.done.usage.completionTokens).toBe(100)
  expect(worker.caches.at(-1)).toMatchObject({ sequences: 8 })
  expect(Math.max(...worker.steps.map(({ usage }) => usage?.sequences ?? 0))).toBeGreaterThan(2)
})

test("clients of every kind get the answers of a pool that is large from the start", async () => {
  const shared = prose(9, 300)
  const requests = [
    ...Array.from({ length: 8 }, (_, seed) => asked(`${shared} ${prose(seed, 30)}`)),
    ...Array.from({ length: 7 }, (_, seed) => asked(prose(20 + seed, 200), { maxTokens: 120 })),
    asked(prose(40, 20_000), { maxTokens: 5 }),
  ]
  const model = { contextLength: 32_768, layers: 1 }
  const contextLength = 24_576
  const most = { layout: "unified", cells: 32_768, mostCells: 32_768, contextLength } as const
  await using fixed = await start({ model, plan: most })
  const references = await fixed.runAll(requests)
  await using worker = await start({ model, plan: { contextLength } })
  const runs = await worker.runAll(requests)
  for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
  expect(worker.counters.preemptions).toBe(0)
  expect(worker.counters.promptTokensEvaluated).toBeLessThanOrEqual(fixed.counters.promptTokensEvaluated)
})

function promptTokens(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.done.usage.promptTokens, 0)
}
