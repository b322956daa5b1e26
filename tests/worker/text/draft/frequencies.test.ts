import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { RealWorker } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const CHOICES = 128
const ROUNDS = 3
const TOKENS = 5

const folder = tempFolder()
let worker: RealWorker
beforeAll(async () => {
  const { path } = writeTinyModel(join(folder.path, "m.gguf"), { layers: 1 })
  worker = await RealWorker.start(path, { settings: { speculation: "ngram", contextLength: 512 } })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** How often each answer came, in many choices with seeds that differ from those of all other calls. */
async function answers(request: CompletionRequest, firstSeed: number): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    const seed = firstSeed + round * CHOICES
    const run = await worker.run({ ...request, n: CHOICES, sampling: { ...request.sampling, seed } })
    for (let choice = 0; choice < CHOICES; choice++) {
      const text = run.text(choice)
      counts.set(text, (counts.get(text) ?? 0) + 1)
    }
  }
  return counts
}

/**
 * Pearson's statistic of two samples of one size, over the answers that are frequent enough, with all others as one, in
 * standard deviations of what it is for equal distributions.
 */
function difference(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  const rest = [0, 0]
  const cells: (readonly [number, number])[] = []
  for (const text of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(text) ?? 0, b.get(text) ?? 0]
    if (x + y >= 10) cells.push([x, y])
    else {
      rest[0]! += x
      rest[1]! += y
    }
  }
  if (rest[0]! + rest[1]! > 0) cells.push([rest[0]!, rest[1]!])
  expect(cells.length).toBeGreaterThan(3)
  const statistic = cells.reduce((sum, [x, y]) => sum + (x - y) ** 2 / (x + y), 0)
  const freedom = cells.length - 1
  return (statistic - freedom) / Math.sqrt(2 * freedom)
}

const COMMON = { maxTokens: TOKENS, sampling: { temperature: 1.2, topK: 4 } } as const

test.each<readonly [string, Partial<CompletionRequest>]>([
  ["any text", {}],
  ["a schema", { output: { type: "regex", pattern: "[a-m ]{1,12}" } }],
  ["a stop text", { stop: ["e"], maxTokens: 8 }],
  ["penalties and a bias", { sampling: { ...COMMON.sampling, repeatPenalty: 1.3, logitBias: [[40, 1.5]] } }],
])("with %s, each answer comes as often with drafts as without", async (_, options) => {
  const request = greedy(prose(7, 60), { ...COMMON, ...options })
  const without = await answers({ ...request, speculation: { mode: "off" } }, 1)
  const other = await answers({ ...request, speculation: { mode: "off" } }, 100_000)
  const before = worker.counters
  const drafted = await answers(request, 200_000)
  const after = worker.counters
  expect(after.draftTokens - before.draftTokens).toBeGreaterThan(CHOICES * ROUNDS)
  expect(after.draftTokensAccepted - before.draftTokensAccepted).toBeGreaterThan(50)
  // One in thirty thousand samples of the same distribution is four deviations off.
  expect(difference(without, other)).toBeLessThan(4)
  expect(difference(without, drafted)).toBeLessThan(4)
  expect(difference(other, drafted)).toBeLessThan(4)
})

test("with one seed, drafts change no token", async () => {
  const request = greedy(prose(9, 60), {
    ...COMMON,
    maxTokens: 40,
    n: 16,
    sampling: { ...COMMON.sampling, seed: 3 },
  })
  const plain = await worker.run({ ...request, speculation: { mode: "off" } })
  const drafted = await worker.run(request)
  const texts = Array.from({ length: 16 }, (_, choice) => [plain.text(choice), drafted.text(choice)] as const)
  expect(drafted.done.timings.drafts?.accepted).toBeGreaterThan(100)
  // A token on the edge between two may fall either way where the last digits differ.
  expect(texts.filter(([a, b]) => a === b).length).toBeGreaterThanOrEqual(15)
})
