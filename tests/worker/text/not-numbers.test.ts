import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { expectAgreement, TOLERANCE } from "../../support/agreement"
import { writeTinyModel } from "../../support/files/tiny-model"
import { LAYOUTS, RealWorker } from "../../support/real/real-worker"
import { greedy, prose } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

/** The byte 1, which the model never chooses by itself: what comes behind it is no number. */
const BROKEN = 4

/** Behind each other, so that cells of a long damaged sequence are left over behind a short one. */
const DAMAGED = [305, BROKEN, ...Array.from({ length: 150 }, (_, index) => 265 + (index % 200))]

const good = greedy(prose(7, 60), { maxTokens: 200, cachePrompt: false, topLogprobs: 2 })

const CASES = (["llama", "swa", "mamba"] as const).flatMap((architecture) =>
  LAYOUTS.flatMap((layout) =>
    (["off", "on"] as const)
      .filter((flash) => architecture !== "mamba" || flash === "off")
      .map((flash) => [architecture, layout, flash] as const),
  ),
)

describe.each(CASES)("a model of type %s with the %s layout, flash attention %s", (...options) => {
  const [architecture, kvLayout, flashAttention] = options
  // Flash attention adds up in F16 where it computes several tokens at once.
  const tolerance = flashAttention === "on" ? 0.2 : TOLERANCE

  function start(slots = 3, contextLength = 512): Promise<RealWorker> {
    const { path } = writeTinyModel(join(folder.path, `${architecture}.gguf`), {
      architecture,
      brokenToken: BROKEN,
    })
    return RealWorker.start(path, { settings: { slots, kvLayout, contextLength, flashAttention } })
  }

  test("ends the request whose numbers are none, and goes on with the others as if it had not been", async () => {
    await using worker = await start()
    const reference = await worker.run(good)
    const stream = worker.submit(good)
    await stream.tokens(5)
    for (const sampling of [{ temperature: 0 }, { temperature: 0.8 }, { mirostat: 2 as const }]) {
      const failure = await worker.failure(greedy(DAMAGED, { sampling }))
      expect(failure).toMatchObject({ code: "decode_failed", status: 500 })
      expect(failure.message).toContain("not a number (NaN or infinite)")
    }
    await stream.over
    expect(stream.done.usage.completionTokens).toBe(200)
    expectAgreement(stream, reference, tolerance)
    for (const run of await worker.runAll([good, good, good])) expectAgreement(run, reference, tolerance)
  })

  test("ends it where it is alone, and serves the next one from the same cells", async () => {
    await using worker = await start(1)
    const reference = await worker.run(good)
    expect(await worker.failure(greedy(DAMAGED))).toMatchObject({ code: "decode_failed" })
    expectAgreement(await worker.run(good), reference, tolerance)
    expect(await worker.failure(greedy(DAMAGED, { n: 3 }))).toMatchObject({ code: "decode_failed" })
    expectAgreement(await worker.run({ ...good, cachePrompt: true }), reference, tolerance)
  })

  test("starts no other request from what is left of it, while the cache is in use", async () => {
    await using worker = await start(4)
    const reference = await worker.run(good)
    const stream = worker.submit(good)
    await stream.tokens(5)
    expect(await worker.failure(greedy(DAMAGED))).toMatchObject({ code: "decode_failed" })
    for (const run of await worker.runAll([good, good])) expectAgreement(run, reference, tolerance)
    await stream.over
    expectAgreement(stream, reference, tolerance)
  })

  test("blames no other request where the one at fault is cancelled before its numbers are seen", async () => {
    await using worker = await start(2, 2048)
    const reference = await worker.run(good)
    const stream = worker.submit({ ...good, maxTokens: 1000, sampling: { temperature: 0, ignoreEos: true } })
    await stream.tokens(5)
    const long = [...DAMAGED, ...Array.from({ length: 1500 }, (_, index) => 265 + (index % 200))]
    const damaged = worker.submit(greedy(long, { returnProgress: true }))
    await damaged.first("progress")
    worker.cancel(damaged)
    expectAgreement(await worker.run(good), reference, tolerance)
    expect(stream.error).toBeUndefined()
  })

  test("finds the ones at fault in a crowd", async () => {
    await using worker = await start(4)
    const reference = await worker.run(good)
    const requests = [good, greedy(DAMAGED), good, greedy([306, ...DAMAGED]), good, greedy(DAMAGED), good]
    const runs = requests.map((request) => worker.submit(request))
    await Promise.all(runs.map((run) => run.over))
    for (const [index, run] of runs.entries())
      if (requests[index] === good) expectAgreement(run, reference, tolerance)
      else expect(run.error).toMatchObject({ code: "decode_failed" })
  })
})

test("log probabilities of a prompt are none where they are no numbers: the request ends", async () => {
  const { path } = writeTinyModel(join(folder.path, "judged.gguf"), { brokenToken: BROKEN })
  await using worker = await RealWorker.start(path, { settings: { slots: 2, contextLength: 512 } })
  const echoed = greedy(DAMAGED, { echo: true, topLogprobs: 2, maxTokens: 1 })
  expect(await worker.failure(echoed)).toMatchObject({ code: "decode_failed" })
  const sound = greedy([305, 306, 307], { echo: true, topLogprobs: 2, maxTokens: 1 })
  expect((await worker.run(sound)).prompt.logprobs).toHaveLength(3)
})
