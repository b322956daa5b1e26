import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import { expectAgreement } from "../../../support/agreement"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { LAYOUTS, RealWorker } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const CONTEXT = 512
const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")
/** One pool with room for a single conversation of full length. */
let worker: RealWorker
/** Room for everybody: what texts should be. */
let roomy: RealWorker

beforeAll(async () => {
  writeTinyModel(model)
  worker = await RealWorker.start(model, {
    settings: { kvLayout: "unified", contextLength: CONTEXT, kvCells: CONTEXT, slots: 4 },
  })
  roomy = await RealWorker.start(model, { settings: { contextLength: CONTEXT, slots: 4 } })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  await roomy[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** A prompt of exactly `length` tokens. */
async function tokensOf(seed: number, length: number): Promise<readonly number[]> {
  const { tokens } = await roomy.render(greedy(prose(seed, length * 2 + 20)))
  expect(tokens.length).toBeGreaterThanOrEqual(length)
  return tokens.slice(0, length)
}

function withLogprobs(prompt: readonly number[], maxTokens: number): CompletionRequest {
  return greedy(prompt, { maxTokens, topLogprobs: 2 })
}

describe("when the pool is full", () => {
  test("streams pause and go on, each with the text it has alone", async () => {
    const prompts = await Promise.all([1, 2, 3, 4].map((seed) => tokensOf(seed, 60 + 10 * seed)))
    const requests = prompts.map((prompt) => withLogprobs(prompt, 250))
    const counted = await worker.counted(async () => {
      for (const [index, run] of (await worker.runAll(requests)).entries()) {
        expect(run.done.usage.completionTokens).toBe(250)
        expectAgreement(run, await roomy.run({ ...requests[index]!, cachePrompt: false }))
      }
    })
    expect(counted.preemptions).toBeGreaterThan(0)
  })

  test("choices of one request do the same", async () => {
    const request = { ...withLogprobs(await tokensOf(11, 200), 300), n: 4 }
    const reference = await roomy.run({ ...request, n: 1, cachePrompt: false })
    const counted = await worker.counted(async () => {
      const run = await worker.run(request)
      for (const choice of [0, 1, 2, 3]) expect(run.text(choice)).toBe(reference.text())
    })
    expect(counted.preemptions).toBeGreaterThan(0)
  })

  test("idle prefixes go before any stream does", async () => {
    await worker.run(withLogprobs(await tokensOf(21, 200), 1))
    await worker.run(withLogprobs(await tokensOf(22, 200), 1))
    const request = withLogprobs(await tokensOf(23, 300), 100)
    const counted = await worker.counted(async () =>
      expectAgreement(await worker.run(request), await roomy.run({ ...request, cachePrompt: false })),
    )
    expect(counted.preemptions).toBe(0)
  })

  test("the youngest stream pauses, not the one that came first", async () => {
    const first = worker.submit(withLogprobs(await tokensOf(31, 100), 350))
    await first.tokens(2)
    const second = worker.submit(withLogprobs(await tokensOf(32, 100), 350))
    await Promise.all([first.over, second.over])
    const lastTextOf = (id: number) =>
      worker.steps.findLastIndex(({ events }) => events.some((entry) => entry.id === id))
    expect(lastTextOf(first.id)).toBeLessThan(lastTextOf(second.id))
    // The first one had a token in every step that computed anything.
    expect(first.done.usage.completionTokens).toBe(350)
  })

  test("who shares cells with a stream that has ended is counted with them", async () => {
    const shared = await tokensOf(41, 300)
    const first = worker.submit(withLogprobs(shared, 20))
    await first.tokens(1)
    const second = worker.submit(withLogprobs([...shared, 300], 150))
    await first.over
    await second.tokens(20)
    const third = withLogprobs(await tokensOf(42, 250), 20)
    const run = await worker.run(third)
    await second.over
    expect(second.done.usage.completionTokens).toBe(150)
    expectAgreement(run, await roomy.run({ ...third, cachePrompt: false }))
  })

  test("prompts whose every token is judged share the rows for logits", async () => {
    const requests = await Promise.all(
      [51, 52, 53].map(async (seed) => ({
        ...withLogprobs(await tokensOf(seed, 150), 3),
        echo: true,
      })),
    )
    for (const [index, run] of (await worker.runAll(requests)).entries()) {
      const alone = await roomy.run(requests[index]!)
      expect(run.prompt.logprobs?.length).toBe(150)
      const [ours, theirs] = [run.prompt.logprobs ?? [], alone.prompt.logprobs ?? []]
      expect(ours.map(({ id }) => id)).toEqual(theirs.map(({ id }) => id))
      expectAgreement(run, alone)
    }
  })
})

describe.each(LAYOUTS)("with the %s layout", (kvLayout) => {
  const other = () => (kvLayout === "unified" ? worker : roomy)

  test("a prompt longer than the context is refused with both numbers, and others go on", async () => {
    const stream = other().submit(withLogprobs(await tokensOf(61, 50), 200))
    await stream.tokens(1)
    const { tokens } = await roomy.render(greedy(Array.from({ length: CONTEXT + 1 }, () => 300)))
    const error = await other().failure(greedy(tokens))
    expect(error).toMatchObject({
      code: "context_length_exceeded",
      status: 400,
      details: { n_prompt_tokens: CONTEXT + 1, n_ctx: CONTEXT },
    })
    await stream.over
    expect(stream.done.usage.completionTokens).toBe(200)
  })

  test("a generation that reaches the end of the context ends with length", async () => {
    const run = await other().run(greedy(await tokensOf(62, 500)))
    expect(run.finish()).toMatchObject({ reason: "length", completionTokens: CONTEXT - 500 + 1 })
  })

  test("a prompt as long as the context still has an answer of one token", async () => {
    const prompt = Array.from({ length: CONTEXT }, (_, index) => 300 + (index % 50))
    expect((await other().run(greedy(prompt))).finish()).toMatchObject({
      reason: "length",
      completionTokens: 1,
    })
  })
})
