import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"
import type { AttachedPart } from "../../../../src/domain/attached-parts"
import type { CompletionRequest } from "../../../../src/domain/chat"
import type { TextModelSettings } from "../../../../src/domain/settings"
import { differenceOf } from "../../../../src/worker/text/draft/draft-model"
import { expectAgreement } from "../../../support/agreement"
import { writeDeeperModel } from "../../../support/files/deeper-model"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { LAYOUTS, RealWorker } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")
const random = join(folder.path, "random.gguf")

beforeAll(() => {
  writeTinyModel(model)
  writeTinyModel(random, { seed: 99, layers: 1, dim: 32 })
})
afterAll(() => folder[Symbol.dispose]())

function draft(path: string): readonly AttachedPart[] {
  return [{ role: "draft", name: "small.gguf", path, sizeBytes: statSync(path).size }]
}

const DRAFT: Partial<TextModelSettings> = { speculation: "draft", contextLength: 1024, slots: 4 }

function asked(seed: number, options: Partial<CompletionRequest> = {}): CompletionRequest {
  return greedy(prose(seed, 150), { maxTokens: 50, topLogprobs: 3, ...options })
}

describe.each(LAYOUTS)("with the %s layout", (kvLayout) => {
  let worker: RealWorker
  let plain: RealWorker
  beforeAll(async () => {
    worker = await RealWorker.start(model, { settings: { ...DRAFT, kvLayout }, parts: draft(model) })
    plain = await RealWorker.start(model, { settings: { ...DRAFT, speculation: "off", kvLayout } })
  })
  afterAll(async () => {
    await worker[Symbol.asyncDispose]()
    await plain[Symbol.asyncDispose]()
  })

  test("a draft that is the model itself is right every time", async () => {
    const run = await worker.run(asked(1))
    expectAgreement(run, await plain.run(asked(1)))
    const { tokens, accepted } = run.done.timings.drafts!
    // But the first token and one for each step, all are guessed, those of the last step too.
    expect(accepted).toBe(tokens)
    const generated = run.done.usage.completionTokens
    expect(tokens).toBeGreaterThanOrEqual(generated - 1 - Math.ceil(generated / 17))
  })

  test("it guesses no token that it holds to be less likely than is wanted", async () => {
    const drafted = async (leastProbability: number): Promise<number> => {
      const run = await worker.run(asked(1, { speculation: { leastProbability }, cachePrompt: false }))
      return run.done.timings.drafts?.tokens ?? 0
    }
    const all = await drafted(0)
    const likely = await drafted(0.5)
    expect(likely).toBeGreaterThan(0)
    expect(likely).toBeLessThan(all)
    expect(await drafted(1)).toBeLessThan(likely)
  })

  test("it follows conversations that go on, share beginnings, and run at the same time", async () => {
    const first = await worker.run(asked(2))
    const prompt = `${prose(2, 150)}${first.text()} and on`
    const requests = [asked(2, { prompt }), asked(3), asked(4), asked(5, { prompt: `${prompt} with more` })]
    const runs = await worker.runAll(requests)
    for (const [index, run] of runs.entries()) {
      expectAgreement(run, await plain.run({ ...requests[index]!, cachePrompt: false }))
      const { tokens, accepted } = run.done.timings.drafts!
      expect(accepted).toBeGreaterThanOrEqual(0.9 * tokens)
    }
  })

  test("it keeps up with an answer that goes other ways", async () => {
    for (const seed of [6, 7]) {
      const request = asked(seed, { sampling: { temperature: 1.5, seed }, n: 3 })
      const [run, reference] = [await worker.run(request), await plain.run(request)]
      for (const choice of [0, 1, 2]) expect(run.text(choice)).toBe(reference.text(choice))
      const { tokens, accepted } = run.done.timings.drafts!
      expect(tokens).toBeGreaterThan(accepted)
      expect(accepted).toBeGreaterThan(0)
    }
  })
})

test("a model with blocks that change nothing is guessed by the one it was made from", async () => {
  const deep = writeDeeperModel(model, join(folder.path, "deep.gguf"), 8)
  await using plain = await RealWorker.start(model, { settings: { ...DRAFT, speculation: "off" } })
  await using worker = await RealWorker.start(deep, { settings: DRAFT, parts: draft(model) })
  const run = await worker.run(asked(1))
  expectAgreement(run, await plain.run(asked(1)))
  const { tokens, accepted } = run.done.timings.drafts!
  expect(accepted).toBeGreaterThanOrEqual(0.95 * tokens)
  expect(tokens).toBeGreaterThan(40)
})

test("a draft that knows nothing is switched off by the rule, and changes nothing", async () => {
  const settings = { ...DRAFT, speculation: "auto" } as const
  await using worker = await RealWorker.start(model, { settings, parts: draft(random) })
  expect(worker.info.speculation).toEqual({
    isOn: true,
    explanation: "from earlier text and by the draft model, where it is faster",
  })
  await using plain = await RealWorker.start(model, { settings: { ...settings, speculation: "off" } })
  for (const seed of [11, 12, 13]) {
    const request = asked(seed, { maxTokens: 200, cachePrompt: false })
    expectAgreement(await worker.run(request), await plain.run(request))
  }
  const before = worker.counters.draftTokens
  await worker.run(asked(14, { maxTokens: 200, cachePrompt: false }))
  // A short probe now and then.
  expect(worker.counters.draftTokens - before).toBeLessThan(60)
})

test("its cache grows with the model's, and a paused stream is guessed again", async () => {
  const slots = 4
  const unified = { layout: "unified", layoutIsFixed: true } as const
  const kv = growingPlan({ contextLength: 512, slots, sequences: 4, cells: 256, mostCells: 768, ...unified })
  await using worker = await RealWorker.start(model, {
    kv,
    settings: { ...DRAFT, contextLength: 512 },
    parts: draft(model),
  })
  await using plain = await RealWorker.start(model, { settings: { slots: 1, contextLength: 512 } })
  const requests = [20, 21, 22, 23].map((seed) => asked(seed, { maxTokens: 200 }))
  for (const [index, run] of (await worker.runAll(requests)).entries())
    expectAgreement(run, await plain.run({ ...requests[index]!, cachePrompt: false }))
  expect(worker.counters.kvGrowths).toBeGreaterThan(0)
  expect(worker.counters.draftTokensAccepted).toBeGreaterThan(300)
})

describe("what cannot guess for the model is refused:", () => {
  test("a draft with another vocabulary", async () => {
    const other = join(folder.path, "other.gguf")
    writeTinyModel(other, { vocab: 300 })
    const starting = RealWorker.start(model, { settings: DRAFT, parts: draft(other) })
    await expect(starting).rejects.toThrow(
      "its draft model 'small.gguf' has another vocabulary: 300 tokens, and the model has 512",
    )
  })

  test("a recurrent one", async () => {
    const mamba = join(folder.path, "mamba.gguf")
    writeTinyModel(mamba, { architecture: "mamba" })
    const starting = RealWorker.start(model, { settings: DRAFT, parts: draft(mamba) })
    await expect(starting).rejects.toThrow("has recurrent states, which cannot be taken back")
  })

  test("none at all, where the setting asks for one", async () => {
    await expect(RealWorker.start(model, { settings: DRAFT })).rejects.toThrow(
      "speculation is 'draft', but the model has no draft model; name one with --model-draft",
    )
  })
})

describe("vocabularies", () => {
  const of = (...texts: readonly string[]) => ({
    size: texts.length,
    bytesOnce: (token: number) => new TextEncoder().encode(texts[token] ?? ""),
    isControl: (token: number) => (texts[token] ?? "").startsWith("<|"),
  })
  const words = Array.from({ length: 200 }, (_, at) => `w${at}`)

  test("may differ in placeholders and extra tokens at the end", () => {
    expect(differenceOf(of(...words), of(...words))).toBeUndefined()
    expect(differenceOf(of(...words, "<pad1>"), of(...words, "[PAD7]", "<x>"))).toBeUndefined()
  })

  test("may not differ elsewhere", () => {
    const other = [...words.slice(0, 150), "x", ...words.slice(151)]
    expect(differenceOf(of(...words), of(...other))).toBe(
      'has another vocabulary: token 150 is "x", and in the model "w150"',
    )
    expect(differenceOf(of(...words), of(...words, ...words))).toBe(
      "has another vocabulary: 400 tokens, and the model has 200",
    )
  })
})
