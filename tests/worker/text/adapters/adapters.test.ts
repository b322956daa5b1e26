import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AppliedAdapter } from "../../../../src/domain/adapters"
import type { CompletionRequest } from "../../../../src/domain/chat"
import { TURN_STEPS } from "../../../../src/worker/text/adapters/adapter-turns"
import { ADAPTERS } from "../../../../src/limits"
import { expectAgreement } from "../../../support/agreement"
import { adapterPart, appliedAdapter, writeTinyAdapter } from "../../../support/files/tiny-adapter"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { LAYOUTS, RealWorker, type RealWorkerOptions, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const model = writeTinyModel(join(folder.path, "model.gguf")).path
const a = writeTinyAdapter(join(folder.path, "a.gguf"), { rank: 8, seed: 1 })
const b = writeTinyAdapter(join(folder.path, "b.gguf"), { rank: 32, seed: 2 })
// Moderate, so that the last digits of large numbers decide nothing.
const [A, B] = [appliedAdapter(a, 0.3), appliedAdapter(b, 0.3)]

/** Other numbers than those of the same tokens with F32 weights and cells, whose last digits depend on the batch. */
const SAME = 1e-5

const PROMPT = prose(1, 300)

function asked(
  adapters?: readonly AppliedAdapter[],
  more: Partial<CompletionRequest> = {},
): CompletionRequest {
  return greedy(PROMPT, {
    maxTokens: 12,
    topLogprobs: 2,
    ...(adapters !== undefined && { adapters }),
    ...more,
  })
}

const start = (options: RealWorkerOptions = {}): Promise<RealWorker> =>
  RealWorker.start(model, { ...options, settings: { slots: 4, contextLength: 512, ...options.settings } })

/** The same request in a worker of its own. */
async function alone(adapters?: readonly AppliedAdapter[]): Promise<Run> {
  await using worker = await start()
  return await worker.run(asked(adapters))
}

const [base, onlyA, onlyB, both, half] = await Promise.all([
  alone(),
  alone([A]),
  alone([B]),
  alone([A, B]),
  alone([{ ...A, scale: 0.15 }]),
])

test("each set has an effect of its own", () => {
  const numbers = [base, onlyA, onlyB, both, half].map((run) =>
    String(run.logprobs().map(({ logprob }) => logprob)),
  )
  expect(new Set(numbers).size).toBe(5)
})

describe.each(LAYOUTS)("with the %s layout", (kvLayout) => {
  const settings = { kvLayout }

  test("one set after another uses nothing that was computed with another", async () => {
    await using worker = await start({ settings })
    for (const [adapters, expected] of [
      [undefined, base],
      [[A], onlyA],
      [[B], onlyB],
      [[B, A], both],
    ] as const)
      expectAgreement(await worker.run(asked(adapters)), expected, SAME)
    expect(worker.counters.promptTokensCached).toBe(0)
    // With what was computed before, in batches of other sizes.
    for (const [adapters, expected] of [
      [[A], onlyA],
      [undefined, base],
      [[A, B], both],
      [[B], onlyB],
    ] as const)
      expectAgreement(await worker.run(asked(adapters)), expected)
    expect(worker.counters.promptTokensEvaluated).toBeLessThan(5 * base.prompt.tokens)
  })

  test("the same set uses what is there, in whatever order it is named", async () => {
    await using worker = await start({ settings })
    await worker.run(asked([A, B]))
    const { promptTokensCached } = await worker.counted(async () => {
      expectAgreement(await worker.run(asked([B, A])), both, SAME)
    })
    expect(promptTokensCached).toBeGreaterThan(0)
  })

  test("four sets at once: each answer is that of its own set, and none waits longer than the others' turns", async () => {
    await using worker = await start({ settings })
    const sets = [undefined, [A], [B], [A, B]] as const
    const more = { maxTokens: 60 }
    const expected = await Promise.all(sets.map((adapters) => worker.run(asked(adapters, more))))
    const first = worker.steps.length
    const runs = sets.map((adapters) => worker.submit(asked(adapters, more)))
    await Promise.all(runs.map((run) => run.over))
    for (const [index, run] of runs.entries()) expectAgreement(run, expected[index]!, 1e-4)
    expect(longestWait(worker, first, runs)).toBeLessThanOrEqual((sets.length - 1) * TURN_STEPS)
    expect(worker.counters.adapterLoads).toBe(2)
  })
})

/** The most steps between two tokens of a run. */
function longestWait(worker: RealWorker, first: number, runs: readonly Run[]): number {
  let longest = 0
  for (const { id } of runs) {
    let waited: number | undefined
    for (const step of worker.steps.slice(first)) {
      const got = step.events.some(
        (entry) => entry.id === id && "event" in entry && entry.event.type === "delta",
      )
      const isOver = step.events.some(
        (entry) => entry.id === id && "event" in entry && entry.event.type === "done",
      )
      // Messages without a step have no usage.
      if (got) waited = 0
      else if (step.usage !== undefined && waited !== undefined) waited++
      longest = Math.max(longest, waited ?? 0)
      if (isOver) break
    }
  }
  return longest
}

test("choices of one request share its set, and its prompt", async () => {
  await using worker = await start()
  const run = await worker.run(asked([A], { n: 3 }))
  for (const choice of [0, 1, 2]) expectAgreement(run, onlyA, SAME, choice)
})

test("requests without adapters never change them", async () => {
  await using worker = await start()
  await worker.runAll([asked(), asked(), asked()])
  expect(worker.counters).toMatchObject({ adapterSwitches: 0, adapterLoads: 0 })
})

test("a model's own adapters are used where a request names none, and can be left out and scaled", async () => {
  await using worker = await start({ parts: [adapterPart(a, 0.3)] })
  expectAgreement(await worker.run(asked()), onlyA, SAME)
  expectAgreement(await worker.run(asked([])), base, SAME)
  expectAgreement(await worker.run(asked([{ ...A, scale: 0.15 }])), half, SAME)
  expectAgreement(await worker.run(asked([A, B])), both, SAME)
  expectAgreement(await worker.run(asked()), onlyA, SAME)
  expect(worker.counters.adapterLoads).toBe(1)
})

test("a pool that grows keeps what each set has computed", async () => {
  await using fixed = await start({ settings: { contextLength: 2048 } })
  const long = (seed: number, adapters?: readonly AppliedAdapter[]) =>
    greedy(prose(seed, 500), { maxTokens: 300, topLogprobs: 2, ...(adapters !== undefined && { adapters }) })
  const requests = [long(1), long(2, [A]), long(3, [B]), long(3, [A])]
  const expected = await fixed.runAll(requests)
  const kv = growingPlan({ slots: 4, contextLength: 2048 })
  await using worker = await start({ kv, settings: { contextLength: 2048 } })
  const runs = await worker.runAll(requests)
  for (const [index, run] of runs.entries()) expectAgreement(run, expected[index]!)
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
  expect(worker.counters.preemptions).toBe(0)
})

test("a prompt on disk is read back only with the adapters that it was evaluated with", async () => {
  const promptsOnDisk = { folder: join(folder.path, "prompts"), maxBytes: 1e9, minTokens: 64 }
  const prompt = prose(7, 900)
  const request = (adapters?: readonly AppliedAdapter[]) => ({ ...asked(adapters), prompt })
  const settings = { promptsOnDisk, contextLength: 1024 }
  const [first, plain] = await (async () => {
    await using worker = await start({ settings })
    const runs = [await worker.run(request([A, B])), await worker.run(request())] as const
    await worker.stop(30_000)
    return runs
  })()
  await using worker = await start({ settings })
  const other = await worker.run(request([A]))
  expect(other.done.usage.cachedTokens).toBe(0)
  const again = await worker.run(request([B, A]))
  expect(again.done.timings.disk?.tokens).toBeGreaterThan(64)
  expectAgreement(again, first)
  expectAgreement(await worker.run(request()), plain)
})

describe("memory", () => {
  test("is asked for before an adapter is loaded, and none for one that is there", async () => {
    await using worker = await start()
    await worker.run(asked([A]))
    await worker.run(asked([A]))
    expect(worker.memoryRequests.map(({ extra }) => extra.ramBytes)).toEqual([A.sizeBytes])
  })

  test("that is not granted is taken from adapters that nothing uses", async () => {
    await using worker = await start({ grant: () => (worker.memoryRequests.length > 1 ? "no" : "all") })
    expectAgreement(await worker.run(asked([B])), onlyB, SAME)
    // It is smaller than the one that makes way for it.
    expectAgreement(await worker.run(asked([A])), onlyA, SAME)
    expect((await worker.failure(asked([B]))).message).toContain("memory for the adapter 'b'")
    expectAgreement(await worker.run(asked([A])), onlyA, SAME)
    expect(worker.counters.adapterLoads).toBe(2)
  })

  test("is not taken from adapters in use", async () => {
    await using worker = await start({
      grant: () => (worker.memoryRequests.length > 1 ? "no" : "all"),
      settings: { contextLength: 4096 },
      kv: growingPlan({ slots: 4, contextLength: 4096, cells: 16384, mostCells: 16384 }),
    })
    const running = worker.submit(asked([B], { maxTokens: 3500 }))
    await running.tokens(1)
    expect((await worker.failure(asked([A]))).code).toBe("not_enough_memory")
    expect(running.isOver).toBe(false)
    worker.cancel(running)
  })

  test("holds a limited number of them, of which the least recently used ones make way", async () => {
    await using worker = await start()
    const many = Array.from({ length: ADAPTERS.loaded + 2 }, (_, seed) =>
      appliedAdapter(writeTinyAdapter(join(folder.path, `many-${seed}.gguf`), { seed, rank: 1 })),
    )
    for (const adapter of many) await worker.run(asked([adapter], { maxTokens: 1 }))
    expect(worker.counters.adapterLoads).toBe(many.length)
    const { adapterLoads } = await worker.counted(() => worker.run(asked([many.at(-1)!], { maxTokens: 1 })))
    expect(adapterLoads).toBe(0)
    const again = await worker.counted(() => worker.run(asked([many[0]!], { maxTokens: 1 })))
    expect(again.adapterLoads).toBe(1)
  })
})

describe("an adapter that cannot be loaded fails its request only", () => {
  test("because it is for another model", async () => {
    const foreign = writeTinyAdapter(join(folder.path, "foreign.gguf"), { dim: 32 })
    await using worker = await start()
    const running = worker.submit(asked(undefined, { maxTokens: 100 }))
    const error = await worker.failure(asked([appliedAdapter(foreign)]))
    expect(error).toMatchObject({ code: "adapter_load_failed", param: "lora" })
    expect(error.message).toContain(
      "adapter 'foreign' could not be loaded for model 'm': llama.cpp refused it",
    )
    await running.over
    expect(running.error).toBeUndefined()
  })

  test("because it is damaged, cut short, or gone", async () => {
    await using worker = await start()
    const damaged = join(folder.path, "damaged.gguf")
    const whole = await Bun.file(a).bytes()
    for (const bytes of [
      whole.subarray(0, 100),
      whole.subarray(0, whole.length - 1000),
      new Uint8Array(500),
    ]) {
      writeFileSync(damaged, bytes)
      expect(await worker.failure(asked([appliedAdapter(damaged)]))).toMatchObject({
        code: "adapter_load_failed",
      })
    }
    const gone = appliedAdapter(damaged)
    rmSync(damaged)
    expect((await worker.failure(asked([gone]))).message).toContain("no such file")
    expectAgreement(await worker.run(asked()), base, SAME)
  })
})
