import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../src/domain/chat"
import { expectAgreement } from "../../../support/agreement"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { LAYOUTS, RealWorker } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

function start(architecture: "swa" | "mamba", kvLayout: "split" | "unified"): Promise<RealWorker> {
  const { path } = writeTinyModel(join(folder.path, `${architecture}.gguf`), { architecture })
  return RealWorker.start(path, { settings: { kvLayout, slots: 4, contextLength: 2048 } })
}

function withLogprobs(prompt: string | readonly number[]): CompletionRequest {
  return greedy(prompt, { maxTokens: 24, topLogprobs: 5 })
}

function cold(prompt: string | readonly number[]): CompletionRequest {
  return { ...withLogprobs(prompt), cachePrompt: false }
}

const CASES = (["mamba", "swa"] as const).flatMap((architecture) =>
  LAYOUTS.map((layout) => [architecture, layout] as const),
)

describe.each(CASES)("a model of type %s with the %s layout", (architecture, layout) => {
  test("answers a prompt that shares a prefix with another as if it were the first", async () => {
    await using worker = await start(architecture, layout)
    const shared = prose(1, 400)
    const reference = await worker.run(cold(`${shared} one`))
    await worker.run(withLogprobs(`${shared} two`))
    expectAgreement(await worker.run(withLogprobs(`${shared} one`)), reference)
  })

  test("answers the same prompt again the same", async () => {
    await using worker = await start(architecture, layout)
    const reference = await worker.run(cold(prose(2, 400)))
    expectAgreement(await worker.run(withLogprobs(prose(2, 400))), reference)
    expectAgreement(await worker.run(withLogprobs(prose(2, 400))), reference)
  })

  test("goes on with a conversation without computing it again", async () => {
    await using worker = await start(architecture, layout)
    const first = await worker.run(withLogprobs(prose(3, 400)))
    const { tokens } = await worker.render(greedy(prose(3, 400)))
    const longer = [...tokens, ...first.logprobs().map(({ id }) => id), 300, 301]
    const next = await worker.run(withLogprobs(longer))
    expect(next.done.usage.cachedTokens).toBe(tokens.length + 23)
    expectAgreement(next, await worker.run(cold(longer)))
  })

  test("answers several prompts together, some sharing a prefix, each as alone", async () => {
    await using worker = await start(architecture, layout)
    const prompts = [0, 1, 2, 3, 4, 5].map((index) => `${prose(4, 300)} ${prose(10 + (index % 4), 80)}`)
    const references = []
    for (const prompt of prompts) references.push(await worker.run(cold(prompt)))
    const runs = await worker.runAll(prompts.map(withLogprobs))
    for (const [index, run] of runs.entries()) expectAgreement(run, references[index]!)
  })

  test("gives every choice of one prompt the same greedy text", async () => {
    await using worker = await start(architecture, layout)
    const reference = await worker.run(cold(prose(5, 300)))
    const run = await worker.run({ ...withLogprobs(prose(5, 300)), n: 3 })
    for (const choice of [0, 1, 2]) expectAgreement(run, reference, undefined, choice)
  })

  test("answers the next request after a cancelled one as if it were the first", async () => {
    await using worker = await start(architecture, layout)
    const reference = await worker.run(cold(prose(6, 300)))
    const stream = worker.submit(greedy(prose(6, 600), { maxTokens: 900 }))
    await stream.tokens(5)
    worker.cancel(stream)
    expectAgreement(await worker.run(withLogprobs(prose(6, 300))), reference)
  })
})

test("with a sliding window, a prefix that ends within what is left is reused", async () => {
  await using worker = await start("swa", "split")
  const { tokens } = await worker.render(greedy(prose(7, 60)))
  const short = tokens.slice(0, 28)
  const reference = await worker.run(cold([...short.slice(0, 25), 300, 301]))
  await worker.run(greedy(short, { maxTokens: 0 }))
  const next = await worker.run(withLogprobs([...short.slice(0, 25), 300, 301]))
  expect(next.done.usage.cachedTokens).toBe(25)
  expectAgreement(next, reference)
})
