import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../src/domain/chat"
import type { TextModelSettings } from "../../../src/domain/settings"
import { expectAgreement } from "../../support/agreement"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker, type Run } from "../../support/real/real-worker"
import { greedy, prose } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")
/** Nothing is shared here: what texts should be. */
let reference: RealWorker

beforeAll(async () => {
  writeTinyModel(model)
  reference = await RealWorker.start(model, { settings: { slots: 1, contextLength: 512 } })
})
afterAll(async () => {
  await reference[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** Numbers from 0 to `below`, exclusive, the same for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function randomRequest(roll: (below: number) => number): CompletionRequest {
  const shared = prose(roll(3), 60 + 120 * roll(4))
  const prompt = roll(4) === 0 ? shared : `${shared} ${prose(10 + roll(20), 20 + roll(200))}`
  return greedy(prompt, {
    maxTokens: 1 + roll(60),
    topLogprobs: 2,
    n: roll(6) === 0 ? 2 : 1,
    cachePrompt: roll(5) > 0,
    echo: roll(8) === 0,
  })
}

/** Clients that come and go; some leave early. Those that stayed, with what they asked for. */
async function traffic(worker: RealWorker, seed: number): Promise<[CompletionRequest, Run][]> {
  const roll = dice(seed)
  const served: [CompletionRequest, Run][] = []
  const client = async (): Promise<void> => {
    for (let count = 0; count < 6; count++) {
      const request = randomRequest(roll)
      const run = worker.submit(request)
      if (roll(5) === 0) {
        await Promise.race([run.tokens(roll(4)), run.over])
        worker.cancel(run)
        continue
      }
      await run.over
      served.push([request, run])
    }
  }
  await Promise.all(Array.from({ length: 8 }, client))
  return served
}

const SETTINGS: Readonly<Record<string, Partial<TextModelSettings>>> = {
  "split slots": { kvLayout: "split", slots: 4 },
  "one large pool": { kvLayout: "unified", slots: 6 },
  "one pool that is too small for all": { kvLayout: "unified", slots: 6, kvCells: 768 },
}

test.each(Object.entries(SETTINGS))(
  "with %s, everybody in a crowd gets what they would get alone",
  async (_, settings) => {
    await using worker = await RealWorker.start(model, { settings: { contextLength: 512, ...settings } })
    const served = await traffic(worker, 1)
    expect(served.length).toBeGreaterThan(20)
    for (const [request, run] of served) {
      expect(run.error).toBeUndefined()
      const alone = await reference.run({ ...request, n: 1, cachePrompt: false })
      for (let choice = 0; choice < request.n; choice++) expectAgreement(run, alone, undefined, choice)
      expect(run.done.usage.promptTokens).toBe(alone.done.usage.promptTokens)
    }
    if (settings.kvCells !== undefined) expect(worker.counters.preemptions).toBeGreaterThan(0)
  },
)
