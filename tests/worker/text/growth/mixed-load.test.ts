import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import type { DiskUsage } from "../../../../src/domain/loaded-model"
import { expectAgreement } from "../../../support/agreement"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { RealWorker, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(240_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const CONTEXT = 4096

const { path } = writeTinyModel(join(folder.path, "m.gguf"), { contextLength: CONTEXT, layers: 1 })

function asked(prompt: string, maxTokens: number): CompletionRequest {
  return greedy(prompt, { maxTokens, topLogprobs: 2 })
}

/** A pool that starts small and may not become large enough for all, with prompts on disk. */
function startMixed(): Promise<RealWorker> {
  const slots = 6
  // Shares of a pool of this size would be too small for the longest conversation.
  const unified = { layout: "unified", layoutIsFixed: true } as const
  const sizes = { slots, sequences: 4, cells: 1024, mostCells: CONTEXT }
  const kv = growingPlan({ contextLength: CONTEXT, ...sizes, ...unified })
  const promptsOnDisk = { folder: join(folder.path, "kv"), maxBytes: 1024 ** 3, minTokens: 64 }
  return RealWorker.start(path, { kv, settings: { slots, contextLength: CONTEXT, promptsOnDisk } })
}

const total = (worker: RealWorker, what: keyof DiskUsage) =>
  worker.disk.reduce((sum, usage) => sum + usage[what], 0)

/** Runs them at the same time, those at `leaving` until they have shown a token. */
async function together(
  worker: RealWorker,
  requests: readonly CompletionRequest[],
  leaving: readonly number[] = [],
): Promise<readonly (readonly [CompletionRequest, Run])[]> {
  const served = await Promise.all(
    requests.map(async (request, index) => {
      const run = worker.submit(request)
      if (!leaving.includes(index)) {
        await run.over
        if (run.error !== undefined) throw run.error
        return [[request, run] as const]
      }
      await Promise.race([run.tokens(1), run.over])
      worker.cancel(run)
      return []
    }),
  )
  return served.flat()
}

test("long and short conversations that grow, leave, make way and come back from disk get the answers of a worker alone", async () => {
  const shared = prose(50, 600)
  const first = [
    asked(prose(1, 3500), 20),
    asked(prose(2, 300), 200),
    asked(`${shared} ${prose(3, 100)}`, 30),
    asked(prose(4, 2500), 30),
    asked(`${shared} ${prose(5, 100)}`, 30),
    asked(prose(6, 900), 60),
    asked(prose(7, 2800), 10),
    asked(`${shared} ${prose(8, 200)}`, 40),
    asked(prose(9, 1500), 20),
    asked(prose(10, 200), 150),
  ]
  await using worker = await startMixed()
  const answered = [...(await together(worker, first, [3, 7]))]
  // Every conversation goes on; some of their prefixes have made way to others by now.
  const second = answered.map(([{ prompt, maxTokens }, run], index) =>
    asked(`${String(prompt)}${run.text()} ${prose(20 + index, 120)}`, maxTokens ?? 10),
  )
  answered.push(...(await together(worker, second, [5])))
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
  expect(worker.caches.at(-1)).toMatchObject({ layout: "unified", cells: CONTEXT })
  await worker.stop(60_000)
  expect(total(worker, "bytesWritten")).toBeGreaterThan(0)

  await using restarted = await startMixed()
  answered.push(...(await together(restarted, [first[0]!, second[2]!, second[1]!])))
  expect(total(restarted, "hits")).toBeGreaterThan(0)

  await using alone = await RealWorker.start(path, { settings: { slots: 1, contextLength: CONTEXT } })
  let tokens = 0
  for (const [request, run] of answered) {
    expectAgreement(run, await alone.run({ ...request, cachePrompt: false }))
    tokens += run.done.usage.promptTokens + run.done.usage.completionTokens
  }
  expect(tokens).toBeLessThan(20_000)
})

test("after a long conversation, many short ones get shares of their own again while they run", async () => {
  const kv = growingPlan({ contextLength: CONTEXT, slots: 4, sequences: 4 })
  await using worker = await RealWorker.start(path, { kv, settings: { slots: 4, contextLength: CONTEXT } })
  await worker.run(asked(prose(1, 2000), 5))
  expect(worker.caches.at(-1)).toMatchObject({ layout: "unified" })
  const short = Array.from({ length: 8 }, (_, index) => asked(prose(30 + index, 100), 120))
  const answered = await together(worker, short)
  expect(worker.caches.at(-1)).toMatchObject({ layout: "split", sequences: 4 })
  expect(worker.counters).toMatchObject({ kvGrowths: 1, preemptions: 0 })
  await using alone = await RealWorker.start(path, { settings: { slots: 1, contextLength: CONTEXT } })
  for (const [request, run] of answered) expectAgreement(run, await alone.run(request))
})
