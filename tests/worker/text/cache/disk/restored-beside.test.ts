import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { expectAgreement } from "../../../../support/agreement"
import { writeTinyModel } from "../../../../support/files/tiny-model"
import { growingPlan } from "../../../../support/growing-plan"
import { RealWorker, type Run } from "../../../../support/real/real-worker"
import { greedy, prose } from "../../../../support/requests"
import { tempFolder } from "../../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const { path } = writeTinyModel(join(folder.path, "tiny.gguf"), { contextLength: 4096, layers: 1 })

/** A pool of 1,024 cells that may have so many. */
function start(mostCells: number): Promise<RealWorker> {
  const sizes = { slots: 4, sequences: 4, cells: 1024, mostCells, contextLength: 1024 }
  const kv = growingPlan({ ...sizes, layout: "unified", layoutIsFixed: true })
  const promptsOnDisk = { folder: join(folder.path, `kv${mostCells}`), maxBytes: 1024 ** 3, minTokens: 64 }
  return RealWorker.start(path, { kv, settings: { slots: 4, contextLength: 1024, promptsOnDisk } })
}

const A = greedy(prose(1, 1000), { maxTokens: 4, topLogprobs: 2 })
const B = greedy(prose(2, 1000), { maxTokens: 4, topLogprobs: 2 })
const evaluated = ({ done }: Run): number => done.timings.promptTokens

test("a prompt on disk comes back where an idle one has the cells that it needs", async () => {
  await using first = await start(1024)
  const cold = await first.run(A)
  expect(cold.done.usage.promptTokens).toBeGreaterThan(512)
  await first.stop(10_000)
  await using second = await start(1024)
  await second.run(B)
  const warm = await second.run(A)
  expect(evaluated(warm)).toBe(1)
  expectAgreement(warm, cold)
})

test("where the pool may grow the idle one stays", async () => {
  await using first = await start(4096)
  await first.run(A)
  await first.stop(10_000)
  await using second = await start(4096)
  await second.run(B)
  expect(evaluated(await second.run(A))).toBe(1)
  expect(evaluated(await second.run(B))).toBe(1)
  expect(second.counters.kvGrowths).toBe(1)
})
