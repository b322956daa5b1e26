import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { rmSync } from "node:fs"
import { locateLlama } from "../../../../src/native/llama-files"
import { LAYOUTS, type RealWorker, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"
import { Album, startSeeing } from "../../../support/vision/seeing-worker"
import { type TinyVisionModel, writeTinyVision } from "../../../support/vision/tiny-vision"

setDefaultTimeout(60_000)

const { mtmd } = await locateLlama("/nonexistent")
if (mtmd === undefined) console.warn("skipped: libmtmd was not compiled; run 'bun scripts/mtmd.ts'")
const folder = tempFolder()
const album = new Album(folder.path)
afterAll(() => folder[Symbol.dispose]())

/** Pictures that no other test shows. */
let seed = 100
const newPicture = () => ({ type: "tiles", width: 96, height: 64, seed: seed++ }) as const

const logprobs = (run: Run) => run.logprobs().map(({ id, logprob }) => [id, logprob] as const)

/** The same tokens, as likely up to rounding. */
function expectSame(run: Run, expected: Run): void {
  const [ours, theirs] = [logprobs(run), logprobs(expected)]
  expect(ours.map(([id]) => id)).toEqual(theirs.map(([id]) => id))
  for (const [index, [, logprob]] of ours.entries())
    expect(Math.abs((logprob ?? 0) - (theirs[index]?.[1] ?? 0))).toBeLessThan(1e-4)
}

const CASES = (["gemma3", "qwen2vl", "idefics3"] as const).flatMap((family) =>
  LAYOUTS.map((layout) => [family, layout] as const),
)

describe.skipIf(mtmd === undefined).each(CASES)("a model like %s with the %s layout", (family, kvLayout) => {
  let worker: RealWorker
  let files: TinyVisionModel
  beforeAll(async () => {
    files = writeTinyVision(folder.path, family, { name: `${family}-${kvLayout}` })
    worker = await startSeeing(files, { settings: { kvLayout, contextLength: 2048, slots: 4 } })
  })
  afterAll(() => worker[Symbol.asyncDispose]())
  afterEach(() => expect(worker.errors).toEqual([]))

  test("answers beside others as alone", async () => {
    const [one, other] = [newPicture(), newPicture()]
    const requests = () => [
      album.ask("look <media> it is", [one], { topLogprobs: 0, cachePrompt: false }),
      greedy(prose(5, 300), { maxTokens: 24, topLogprobs: 0, cachePrompt: false }),
      album.ask("<media> and <media>", [other, one], { topLogprobs: 0, cachePrompt: false }),
    ]
    const alone: Run[] = []
    for (const request of requests()) alone.push(await worker.run(request))
    const together = await worker.runAll(requests())
    for (const [index, run] of together.entries()) expectSame(run, alone[index] as Run)
  })

  test("reads a prompt again from its cells, up to what follows its picture", async () => {
    const picture = newPicture()
    const options = { topLogprobs: 0 }
    const fresh = await worker.run(
      album.ask("see <media> what is it?", [picture], { ...options, cachePrompt: false }),
    )
    await worker.run(album.ask("see <media> who?", [picture], options))
    const counted = await worker.counted(async () => {
      const again = await worker.run(album.ask("see <media> what is it?", [picture], options))
      expectSame(again, fresh)
      expect(again.done.usage.cachedTokens).toBeGreaterThan(again.prompt.tokens / 2)
    })
    expect(counted.mediaEncoded).toBe(0)
  })

  test("encodes a picture once, whatever stands before it", async () => {
    const picture = newPicture()
    const counted = await worker.counted(async () => {
      await worker.run(album.ask("a <media> b", [picture]))
      await worker.run(album.ask("another text <media> c <media>", [picture, picture]))
    })
    expect(counted.mediaEncoded).toBe(1)
  })

  test("gives every choice what one request alone gets", async () => {
    const picture = newPicture()
    const ask = (n: number) => album.ask("choose <media> one", [picture], { n, topLogprobs: 0 })
    const alone = await worker.run(ask(1))
    const run = await worker.run(ask(3))
    for (const choice of [0, 1, 2]) expect(run.text(choice)).toBe(alone.text())
  })

  test("tells pictures of equal size apart", async () => {
    const [one, other] = [newPicture(), newPicture()]
    const fresh = await worker.run(album.ask("x <media> y", [other], { topLogprobs: 0, cachePrompt: false }))
    await worker.run(album.ask("x <media> y", [one]))
    expectSame(await worker.run(album.ask("x <media> y", [other], { topLogprobs: 0 })), fresh)
  })

  test("goes on with other requests for a picture whose first request was cancelled", async () => {
    const picture = newPicture()
    const first = album.ask("mine <media> is", [picture])
    const second = album.ask("yours <media> is", [picture])
    const cancelled = worker.submit(first)
    const run = worker.submit(second)
    worker.cancel(cancelled)
    rmSync(first.media?.parts[0]?.path ?? "")
    await run.over
    expect(run.error).toBeUndefined()
    expect(run.done.usage.completionTokens).toBeGreaterThan(0)
  })

  test("refuses to score a prompt with a picture", async () => {
    const error = await worker.failure(
      album.ask("score <media> this", [newPicture()], { echo: true, topLogprobs: 1 }),
    )
    expect(error.code).toBe("unsupported")
  })

  test("fails only the request whose picture cannot be decoded", async () => {
    const bad = album.ask("bad <media> one", [newPicture()])
    const good = worker.submit(greedy(prose(8, 200), { maxTokens: 16 }))
    // Its head is whole, and nothing follows.
    const path = bad.media?.parts[0]?.path ?? ""
    await Bun.write(path, (await Bun.file(path).bytes()).subarray(0, 60))
    const error = await worker.failure(bad)
    expect(error.code).toBe("invalid_request_error")
    await good.over
    expect(good.done.usage.completionTokens).toBe(16)
  })
})
