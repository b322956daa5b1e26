import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { locateLlama } from "../../../../src/native/llama-files"
import { growingPlan } from "../../../support/growing-plan"
import type { Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"
import { Album, startSeeing } from "../../../support/vision/seeing-worker"
import { writeTinyVision } from "../../../support/vision/tiny-vision"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const { mtmd } = await locateLlama("/nonexistent")
if (mtmd === undefined) console.warn("skipped: libmtmd was not compiled; run 'bun scripts/mtmd.ts'")
const folder = tempFolder()
const album = new Album(folder.path)
afterAll(() => folder[Symbol.dispose]())

const PICTURE = { type: "tiles", width: 96, height: 64, seed: 7 } as const
const OTHER = { type: "tiles", width: 64, height: 96, seed: 8 } as const

function expectSame(run: Run, expected: Run): void {
  const [ours, theirs] = [run.logprobs(), expected.logprobs()]
  expect(ours.map(({ id }) => id)).toEqual(theirs.map(({ id }) => id))
  const distances = ours.map(({ logprob }, index) =>
    Math.abs(logprob - (theirs[index]?.logprob ?? Number.NaN)),
  )
  expect(Math.max(...distances)).toBeLessThan(1e-3)
}

describe.skipIf(mtmd === undefined).each(["gemma3", "qwen2vl"] as const)("pictures for %s", (family) => {
  const files = writeTinyVision(folder.path, family, { name: `${family}-features` })
  const settings = { contextLength: 2048, slots: 4 }
  const look = (more: Parameters<Album["ask"]>[2] = {}) =>
    album.ask(`${prose(4, 200)} <media> it is <media>`, [PICTURE, OTHER], { topLogprobs: 0, ...more })

  test("stay in the cache while it grows, and are encoded once", async () => {
    await using fixed = await startSeeing(files, { settings })
    const reference = await fixed.run(look({ maxTokens: 300 }))
    const kv = growingPlan({ contextLength: 2048 })
    await using worker = await startSeeing(files, {
      kv,
      settings: { contextLength: kv.contextLength, slots: kv.slots },
    })
    const [run, beside] = await worker.runAll([
      look({ maxTokens: 300 }),
      greedy(prose(9, 700), { maxTokens: 8 }),
    ])
    expect(worker.counters.kvGrowths).toBeGreaterThan(0)
    expect(worker.counters.mediaEncoded).toBe(2)
    expect(beside?.error).toBeUndefined()
    expectSame(run as Run, reference)
  })

  test("are read from disk with their prompt after a restart", async () => {
    const promptsOnDisk = { folder: join(folder.path, `${family}-kv`), maxBytes: 1024 ** 3, minTokens: 64 }
    await using first = await startSeeing(files, { settings: { ...settings, promptsOnDisk } })
    const cold = await first.run(look())
    await first.stop(10_000)
    await using second = await startSeeing(files, { settings: { ...settings, promptsOnDisk } })
    const warm = await second.run(look())
    expect(warm.done.timings.disk?.tokens ?? 0).toBeGreaterThan(100)
    expectSame(warm, cold)
    expect(second.errors).toEqual([])
  })

  test("are no obstacle to grammars, guesses and other answers of one request", async () => {
    await using worker = await startSeeing(files, { settings })
    const output = { type: "regex", pattern: "[a-c]{4,8}" } as const
    const held = await worker.run(look({ output, maxTokens: 20 }))
    expect(held.text()).toMatch(/^[a-c]{4,8}$/)
    const alone = await worker.run(look({ maxTokens: 60, speculation: { mode: "off" } }))
    const guessed = await worker.run(look({ maxTokens: 60, speculation: { mode: "ngram" } }))
    expectSame(guessed, alone)
    const several = await worker.run(look({ maxTokens: 20, n: 2 }))
    expect([0, 1].map((choice) => several.text(choice))).toEqual(Array(2).fill(several.text(0)))
    expect(alone.text().startsWith(several.text(0))).toBe(true)
  })
})
