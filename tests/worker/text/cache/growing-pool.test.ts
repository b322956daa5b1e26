import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import type { KvPlan } from "../../../../src/domain/settings"
import { expectAgreement } from "../../../support/agreement"
import { type TinyModelOptions, writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { RealWorker, type RealWorkerOptions, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

interface Start extends Pick<RealWorkerOptions, "grant" | "defaults"> {
  readonly model?: TinyModelOptions
  readonly plan?: Partial<KvPlan>
}

function start({ model = {}, plan = {}, ...options }: Start = {}): Promise<RealWorker> {
  const { path } = writeTinyModel(
    join(folder.path, `${JSON.stringify(model).length}-${model.architecture}.gguf`),
    model,
  )
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
    expectAgreement(run, reference)
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
