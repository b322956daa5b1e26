import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import type { RealWorker, Run } from "../../../support/real/real-worker"
import { locateLlama } from "../../../../src/native/llama-files"
import { tempFolder } from "../../../support/temp-folder"
import { RECORDED_CASES, type Recording } from "../../../support/vision/recorded-cases"
import recordings from "../../../support/vision/recordings.json"
import { Album, startSeeing } from "../../../support/vision/seeing-worker"
import { writeTinyVision } from "../../../support/vision/tiny-vision"

setDefaultTimeout(60_000)

const { mtmd } = await locateLlama("/nonexistent")
if (mtmd === undefined) console.warn("skipped: libmtmd was not compiled; run 'bun scripts/mtmd.ts'")
const folder = tempFolder()
const album = new Album(folder.path)
afterAll(() => folder[Symbol.dispose]())

const recorded: Readonly<Record<string, Recording>> = recordings as never // what scripts/record-vision.ts writes

function firstTop(run: Run): ReadonlyMap<number, number> {
  const [first] = run.logprobs()
  return new Map(first?.top?.map(({ id, logprob }) => [id, logprob]))
}

/** The largest difference between the log probabilities of the first token. */
function difference(run: Run, { top }: Recording): number {
  const ours = firstTop(run)
  return Math.max(
    ...top.slice(0, 10).map(([id, , logprob]) => Math.abs((ours.get(id) ?? -Infinity) - logprob)),
  )
}

const FAMILIES = ["gemma3", "qwen2vl", "qwen3vl", "idefics3", "ultravox"] as const

describe.skipIf(mtmd === undefined).each(FAMILIES)("a model like %s", (family) => {
  let worker: RealWorker
  beforeAll(async () => {
    worker = await startSeeing(writeTinyVision(folder.path, family), {
      settings: { contextLength: 4096 },
    })
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test.each(RECORDED_CASES.filter((one) => one.family === family).map((one) => [one.name, one] as const))(
    "%s: answers as llama-server does",
    async (name, { prompt, media }) => {
      const expected = recorded[`${family}: ${name}`] as Recording
      const run = await worker.run(album.ask(prompt, media, { topLogprobs: 20 }))
      expect(run.prompt.tokens).toBe(expected.promptTokens)
      expect(difference(run, expected)).toBeLessThan(1e-4)
    },
  )
})
