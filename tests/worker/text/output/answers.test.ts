import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest, SamplingParameters } from "../../../../src/domain/chat"
import { expectAgreement, TOLERANCE } from "../../../support/agreement"
import { type TinyModel, writeTinyModel } from "../../../support/files/tiny-model"
import { tinyVocabulary } from "../../../support/files/tiny-vocabulary"
import { RealWorker, type Run } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
/** Readable, never ends by itself. */
let worker: RealWorker
let model: TinyModel
/** After "~" always comes "🌲" byte by byte, then the end of the turn. */
let treeWorker: RealWorker

const TREE = [0xf0, 0x9f, 0x8c, 0xb2]

beforeAll(async () => {
  model = writeTinyModel(join(folder.path, "tiny.gguf"))
  const { idOfByte } = tinyVocabulary({ size: 512, fim: false })
  const path = ["~".charCodeAt(0), ...TREE].map(idOfByte)
  const chain = [...path, 2].flatMap((next, place) =>
    place === 0 ? [] : [[path[place - 1]!, next] as const],
  )
  const tree = writeTinyModel(join(folder.path, "tree.gguf"), { chain })
  worker = await RealWorker.start(model.path)
  treeWorker = await RealWorker.start(tree.path)
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  await treeWorker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function sampled(prompt: string, sampling: Partial<SamplingParameters>): CompletionRequest {
  return greedy(prompt, { maxTokens: 24, cachePrompt: false, sampling: { temperature: 1.5, ...sampling } })
}

function ids(run: Run, choice = 0): number[] {
  return run.logprobs(choice).map(({ id }) => id)
}

describe("text", () => {
  test("comes in whole characters, though tokens are bytes of one", async () => {
    const run = await treeWorker.run(greedy("~", { topLogprobs: 0 }))
    expect(run.text()).toBe("🌲")
    const texts = run.events.filter((event) => event.type === "delta")
    expect(texts.map((event) => event.text)).toEqual(["🌲"])
    // Every byte's token has its log probability, and the one that ends the turn is counted.
    expect(run.logprobs().map(({ bytes }) => bytes)).toEqual(TREE.map((byte) => [byte]))
    expect(run.finish()).toMatchObject({ reason: "stop", completionTokens: 5 })
  })

  test("leaves out a character that the limit cuts", async () => {
    const run = await treeWorker.run(greedy("~", { maxTokens: 3, topLogprobs: 0 }))
    expect(run.text()).toBe("")
    expect(run.logprobs().map(({ bytes }) => bytes)).toEqual(TREE.slice(0, 3).map((byte) => [byte]))
    expect(run.finish()).toMatchObject({ reason: "length", completionTokens: 3 })
  })

  test("leaves in several pieces, each as soon as its token is there", async () => {
    const run = await worker.run(greedy(prose(1, 60), { maxTokens: 20 }))
    const texts = run.events.filter((event) => event.type === "delta")
    expect(texts.map((event) => event.tokens)).toEqual(Array.from({ length: 20 }, () => 1))
  })
})

test("each choice is one part of text, which begins before its first delta and ends before its finish", async () => {
  const run = await worker.run({ ...sampled(prose(1, 60), { seed: 1 }), n: 3 })
  for (const choice of [0, 1, 2]) {
    const own = run.events.filter((event) => "choice" in event && event.choice === choice)
    const types = own.map(({ type }) => type)
    const deltas = types.slice(1, -2)
    expect(deltas.length).toBeGreaterThan(1)
    expect(new Set(deltas)).toEqual(new Set(["delta"]))
    expect([types[0], ...types.slice(-2)]).toEqual(["part-start", "part-end", "finish"])
  }
  expect(run.events.at(-1)?.type).toBe("done")
})

describe("a stop text", () => {
  test("ends the answer before it, wherever tokens end", async () => {
    const full = (await worker.run(greedy(prose(2, 60), { maxTokens: 40 }))).text()
    for (const [from, length] of [
      [10, 1],
      [11, 3],
      [20, 7],
    ] as const) {
      const stop = full.slice(from, from + length)
      const run = await worker.run(greedy(prose(2, 60), { maxTokens: 40, stop: ["~~~", stop] }))
      expect(run.text()).toBe(full.slice(0, full.indexOf(stop)))
      expect(run.finish()).toMatchObject({ reason: "stop", stop })
    }
  })

  test("that began but was not completed is part of the text", async () => {
    const full = (await worker.run(greedy(prose(2, 60), { maxTokens: 40 }))).text()
    const run = await worker.run(greedy(prose(2, 60), { maxTokens: 40, stop: [`${full.slice(-3)}~`] }))
    expect(run.text()).toBe(full)
    expect(run.finish()).toEqual({ type: "finish", choice: 0, reason: "length", completionTokens: 40 })
  })

  test("ends one choice, the others go on", async () => {
    const request = { ...sampled(prose(3, 60), { seed: 5 }), n: 3, topLogprobs: 0 }
    const free = await worker.run(request)
    const stop = free.text(1).slice(4, 8)
    const run = await worker.run({ ...request, stop: [stop] })
    expect(run.finish(1)).toMatchObject({ reason: "stop", stop })
    expect(run.text(0)).toBe(free.text(0).split(stop)[0]!)
    expect(run.text(2)).toBe(free.text(2).split(stop)[0]!)
  })
})

describe("a stop text that is kept", () => {
  test("is the last part of the answer, wherever tokens end", async () => {
    const full = (await worker.run(greedy(prose(2, 60), { maxTokens: 40 }))).text()
    const stop = full.slice(11, 14)
    const run = await worker.run(greedy(prose(2, 60), { maxTokens: 40, stop: [stop], keepsStop: true }))
    expect(run.text()).toBe(full.slice(0, full.indexOf(stop) + stop.length))
    expect(run.finish()).toMatchObject({ reason: "stop", stop })
  })
})

describe("a stop token", () => {
  const request = greedy(prose(2, 60), { maxTokens: 20, topLogprobs: 0 })

  test("ends the answer as the model's own end does: it is counted, and no part of the text", async () => {
    const full = await worker.run(request)
    const stopToken = ids(full)[7]!
    const place = ids(full).indexOf(stopToken)
    const run = await worker.run({ ...request, stopTokens: [400, stopToken] })
    expect(ids(run)).toEqual(ids(full).slice(0, place))
    expect(full.text()).toStartWith(run.text())
    expect(run.finish()).toEqual({ type: "finish", choice: 0, reason: "stop", completionTokens: place + 1 })
  })

  test("is the last part of the answer where that is wanted", async () => {
    const full = await worker.run(request)
    const stopToken = ids(full)[7]!
    const place = ids(full).indexOf(stopToken)
    const run = await worker.run({ ...request, stopTokens: [stopToken], keepsStop: true })
    expect(ids(run)).toEqual(ids(full).slice(0, place + 1))
    expect(run.finish()).toMatchObject({ reason: "stop", completionTokens: place + 1 })
  })

  test("does not come before the least number of tokens", async () => {
    const [first] = ids(await worker.run(request))
    const run = await worker.run({ ...request, stopTokens: [first!], minTokens: 5 })
    expect(run.finish().completionTokens).toBeGreaterThan(5)
  })

  test("ends the answer also where it is the model's own end, and that is ignored", async () => {
    const ignoring = greedy("~", { sampling: { temperature: 0, ignoreEos: true }, maxTokens: 30 })
    expect((await treeWorker.run({ ...ignoring, stopTokens: [2] })).finish()).toMatchObject({
      ...{ reason: "stop", completionTokens: 5 },
    })
  })

  test("is refused where the vocabulary has no such token", async () => {
    const error = await worker.failure({ ...request, stopTokens: [5, 512] })
    expect(error).toMatchObject({ code: "invalid_request_error", status: 400, param: "stop_token_ids" })
    expect(error.message).toContain("512")
  })
})

describe("control tokens that the model generates", () => {
  /** <|im_start|>, again and again. */
  const sampling = { temperature: 0, logitBias: [[1, 100]] as const }

  test("have their name as text, or none where that is wanted", async () => {
    const shown = await worker.run(greedy("a", { sampling, maxTokens: 2 }))
    expect(shown.text()).toBe("<|im_start|><|im_start|>")
    const hidden = await worker.run(greedy("a", { sampling, maxTokens: 2, hidesControlTokens: true }))
    expect(hidden.text()).toBe("")
    expect(hidden.finish().completionTokens).toBe(2)
    const plain = await worker.run(greedy(prose(2, 60), { maxTokens: 9, hidesControlTokens: true }))
    expect(plain.text()).toBe((await worker.run(greedy(prose(2, 60), { maxTokens: 9 }))).text())
  })
})

describe("the ids of the generated tokens", () => {
  const told = (run: Run) => run.events.flatMap((event) => (event.type === "delta" ? (event.ids ?? []) : []))

  test("are told where they are wanted, each once and with the one that ends the answer", async () => {
    const run = await treeWorker.run(greedy("~", { topLogprobs: 0, reportsTokens: true }))
    expect(told(run)).toEqual([...ids(run), 2])
    expect(told(run)).toHaveLength(run.done.usage.completionTokens)
    expect(told(await treeWorker.run(greedy("~")))).toEqual([])
  })

  test("include those of a stop text, though it is no part of the answer", async () => {
    const full = await worker.run(greedy(prose(2, 60), { maxTokens: 20, topLogprobs: 0 }))
    const stop = full.text().slice(8, 11)
    const run = await worker.run(greedy(prose(2, 60), { maxTokens: 20, stop: [stop], reportsTokens: true }))
    const count = run.done.usage.completionTokens
    expect(told(run)).toEqual(ids(full).slice(0, count))
  })

  test("come without text where a limit cuts a character", async () => {
    const run = await treeWorker.run(greedy("~", { maxTokens: 3, reportsTokens: true }))
    expect(run.text()).toBe("")
    expect(told(run)).toHaveLength(3)
  })
})

describe("limits", () => {
  test("an answer has no more tokens than asked for, and says that this was why", async () => {
    for (const maxTokens of [1, 2, 17]) {
      const run = await worker.run(greedy(prose(4, 60), { maxTokens }))
      expect(run.finish()).toMatchObject({ reason: "length", completionTokens: maxTokens })
      expect(run.done.usage.completionTokens).toBe(maxTokens)
    }
  })

  test("no tokens at all: the prompt is computed, and cached for the next request", async () => {
    const run = await worker.run(greedy(prose(5, 300), { maxTokens: 0 }))
    expect(run.text()).toBe("")
    expect(run.finish()).toMatchObject({ reason: "length", completionTokens: 0 })
    const next = await worker.run(greedy(prose(5, 300), { maxTokens: 1 }))
    expect(next.done.usage.cachedTokens).toBe(next.done.usage.promptTokens - 1)
  })

  test("no end before the least number of tokens", async () => {
    const run = await treeWorker.run(greedy("~", { minTokens: 10, maxTokens: 40 }))
    expect(run.text().startsWith("🌲")).toBe(true)
    expect(run.finish().completionTokens).toBeGreaterThanOrEqual(10)
    expect((await treeWorker.run(greedy("~"))).finish().completionTokens).toBe(5)
  })

  test("no end by the model where that is to be ignored", async () => {
    const sampling = { temperature: 0, ignoreEos: true }
    const run = await treeWorker.run(greedy("~", { sampling, maxTokens: 30 }))
    expect(run.finish()).toMatchObject({ reason: "length", completionTokens: 30 })
  })
})

describe("the bias of a token", () => {
  async function biased(logitBias: SamplingParameters["logitBias"]): Promise<Run> {
    const sampling = { temperature: 0, logitBias }
    return worker.run(greedy(prose(6, 60), { sampling, topLogprobs: 0, maxTokens: 12 }))
  }

  test("bans it", async () => {
    const [first] = ids(await biased([]))
    const run = await biased([[first!, Number.NEGATIVE_INFINITY]])
    expect(ids(run)).not.toContain(first!)
  })

  test("forces it", async () => {
    expect(new Set(ids(await biased([[300, 100]])))).toEqual(new Set([300]))
  })

  test("may be given by text, for every token of the text", async () => {
    const run = await biased([["th", 100]])
    expect(run.text()).toBe("th".repeat(12))
    const banned = await biased([[run.text().slice(0, 2), Number.NEGATIVE_INFINITY]])
    expect(banned.text()).not.toContain("th")
  })

  test("changes no log probability: they are the model's own", async () => {
    const free = await biased([])
    const forced = await biased([[ids(free)[0]!, 5]])
    expect(forced.logprobs()[0]!.logprob).toBeCloseTo(free.logprobs()[0]!.logprob, 3)
  })
})

describe("chance", () => {
  test("the same seed gives the same text", async () => {
    const request = sampled(prose(7, 60), { seed: 42 })
    const texts = [await worker.run(request), await worker.run(request)].map((run) => run.text())
    expect(texts[0]).toBe(texts[1]!)
  })

  test("another seed gives another", async () => {
    const runs = await worker.runAll([1, 2, 3, 4].map((seed) => sampled(prose(7, 60), { seed })))
    expect(new Set(runs.map((run) => run.text())).size).toBe(4)
  })

  test("no seed gives another each time", async () => {
    const request = sampled(prose(7, 60), {})
    const texts = [await worker.run(request), await worker.run(request)].map((run) => run.text())
    expect(texts[0]).not.toBe(texts[1]!)
  })

  test("choices of one request differ, and the same seed gives the same choices", async () => {
    const request = { ...sampled(prose(7, 60), { seed: 9 }), n: 3 }
    const [first, second] = [await worker.run(request), await worker.run(request)]
    const texts = [0, 1, 2].map((choice) => first.text(choice))
    expect(new Set(texts).size).toBe(3)
    expect([0, 1, 2].map((choice) => second.text(choice))).toEqual(texts)
  })

  test("no choice of a request with a seed has the one that llama.cpp takes for random", async () => {
    const request = { ...sampled(prose(7, 60), { seed: 2 ** 32 - 2 }), n: 2 }
    const runs = [await worker.run(request), await worker.run(request)]
    expect(runs[0]?.text(1)).toBe(runs[1]?.text(1) ?? "")
  })

  test.each<[string, Partial<SamplingParameters>]>([
    ["top-k 1", { topK: 1 }],
    ["a tiny top-p", { topP: 0.0001 }],
    ["a min-p of 1", { minP: 1 }],
    ["a tiny top-n-sigma", { topNSigma: 0.001 }],
  ])("%s leaves only the most probable token", async (_, sampling) => {
    const run = await worker.run(sampled(prose(8, 60), { seed: 1, ...sampling }))
    const reference = await worker.run(greedy(prose(8, 60), { maxTokens: 24, cachePrompt: false }))
    expect(run.text()).toBe(reference.text())
  })

  test.each<[string, Partial<SamplingParameters>]>([
    ["a repeat penalty", { repeatPenalty: 2, repeatLastN: -1 }],
    ["a presence penalty", { presencePenalty: 20, repeatLastN: -1 }],
    ["a frequency penalty", { frequencyPenalty: 20, repeatLastN: -1 }],
    ["DRY", { dryMultiplier: 20, dryAllowedLength: 1, drySequenceBreakers: [] }],
  ])("%s keeps the answer from what was said before", async (_, penalty) => {
    const loop = { temperature: 0, logitBias: [[300, 12]] as const }
    const free = await worker.run(greedy(prose(9, 60), { sampling: loop, topLogprobs: 0, maxTokens: 30 }))
    const held = await worker.run(
      greedy(prose(9, 60), { sampling: { ...loop, ...penalty }, topLogprobs: 0, maxTokens: 30 }),
    )
    const count = (run: Run) => ids(run).filter((id) => id === 300).length
    expect(count(held)).toBeLessThan(count(free))
  })

  test.each<[string, Partial<SamplingParameters>]>([
    ["typical-p", { typicalP: 0.5 }],
    ["XTC", { xtcProbability: 1, xtcThreshold: 0.05 }],
    ["mirostat 1", { mirostat: 1 }],
    ["mirostat 2", { mirostat: 2 }],
    ["a dynamic temperature", { dynamicTemperatureRange: 1 }],
  ])("%s answers, and the same again for the same seed", async (_, sampling) => {
    const request = sampled(prose(10, 60), { seed: 3, ...sampling })
    const [first, second] = [await worker.run(request), await worker.run(request)]
    const plain = await worker.run(sampled(prose(10, 60), { seed: 3 }))
    expect(first.text()).toBe(second.text())
    expect(first.text()).not.toBe(plain.text())
  })
})

describe("log probabilities", () => {
  test("come for every token, with the best ones first", async () => {
    const run = await worker.run(sampled(prose(11, 60), { seed: 1 }))
    expect(run.logprobs()).toEqual([])
    const promptLogprobs = await worker.run({ ...sampled(prose(11, 60), { seed: 1 }), topLogprobs: 4 })
    expect(promptLogprobs.text()).toBe(run.text())
    expect(promptLogprobs.logprobs().length).toBe(24)
    for (const { id, logprob, top } of promptLogprobs.logprobs()) {
      expect(top.length).toBe(4)
      expect(top.map((each) => each.logprob)).toEqual(top.map((each) => each.logprob).sort((a, b) => b - a))
      expect(logprob).toBeLessThanOrEqual(top[0]!.logprob)
      expect(top.find((each) => each.id === id)?.logprob ?? logprob).toBe(logprob)
    }
  })

  test("of greedy answers are those of the best token", async () => {
    const run = await worker.run(greedy(prose(11, 60), { topLogprobs: 1, maxTokens: 10 }))
    for (const { id, top } of run.logprobs()) expect(top[0]?.id).toBe(id)
  })

  test("join to the text", async () => {
    const run = await worker.run(greedy(prose(11, 60), { topLogprobs: 0, maxTokens: 10 }))
    expect(Buffer.from(run.logprobs().flatMap(({ bytes }) => bytes)).toString()).toBe(run.text())
  })
})

describe("echo", () => {
  test("is refused where it would come to too many log probabilities", async () => {
    const { tokens } = await worker.render(greedy(prose(14, 100)))
    const count = 128 * tokens.length * 21
    const error = await worker.failure(
      greedy(prose(14, 100), { echo: true, topLogprobs: 20, maxTokens: 0, n: 128 }),
    )
    expect(count).toBeGreaterThan(131_072)
    expect(error).toMatchObject({
      status: 400,
      param: "logprobs",
      message:
        `echo with logprobs 20 of ${tokens.length} tokens in 128 choices comes to ${count} log probabilities; ` +
        "at most 131072 are possible",
    })
  })

  test("gives the prompt's text", async () => {
    const run = await worker.run(greedy("the cat", { echo: true, maxTokens: 2 }))
    expect(run.prompt).toMatchObject({ text: "the cat" })
    expect(run.prompt.logprobs).toBeUndefined()
  })

  test("with logprobs gives one for each of its tokens but the first", async () => {
    const { tokens } = await worker.render(greedy(prose(12, 500)))
    const run = await worker.run(greedy(prose(12, 500), { echo: true, topLogprobs: 3, maxTokens: 2 }))
    const promptLogprobs = run.prompt.logprobs ?? []
    expect(promptLogprobs.map(({ id }) => id)).toEqual([...tokens])
    expect(promptLogprobs.map((each) => "logprob" in each)).toEqual(tokens.map((_, place) => place > 0))
    expect(Buffer.from(promptLogprobs.flatMap(({ bytes }) => bytes)).toString()).toBe(prose(12, 500))
  })

  test("judges a prompt as it judges the same text when the model wrote it", async () => {
    const written = await worker.run(greedy("the cat", { topLogprobs: 3, maxTokens: 30, cachePrompt: false }))
    const { tokens } = await worker.render(greedy("the cat"))
    const prompt = [...tokens, ...ids(written)]
    const read = await worker.run(greedy(prompt, { echo: true, topLogprobs: 3, maxTokens: 0 }))
    const promptLogprobs = (read.prompt.logprobs ?? []).slice(tokens.length)
    expect(promptLogprobs.length).toBe(30)
    for (const [place, own] of written.logprobs().entries()) {
      const other = promptLogprobs[place]!
      expect(other.id).toBe(own.id)
      expect(Math.abs(("logprob" in other ? other.logprob : Number.NaN) - own.logprob)).toBeLessThan(
        TOLERANCE,
      )
    }
  })

  test("comes before the first text", async () => {
    const run = await worker.run(greedy(prose(13, 200), { echo: true, topLogprobs: 0, maxTokens: 2, n: 2 }))
    expect(run.events[0]?.type).toBe("prompt")
    expect(run.text(0)).toBe(run.text(1))
  })
})

describe("what is counted", () => {
  test("are tokens of the prompt, cached ones, and those of all choices", async () => {
    const { tokens } = await worker.render(greedy(prose(14, 200)))
    const run = await worker.run(greedy(prose(14, 200), { n: 3, maxTokens: 5, cachePrompt: true }))
    expect(run.done.usage).toMatchObject({ promptTokens: tokens.length, completionTokens: 15 })
    const again = await worker.run(greedy(prose(14, 200), { maxTokens: 5 }))
    expect(again.done.usage.cachedTokens).toBe(tokens.length - 1)
    expect(again.done.timings).toMatchObject({ promptTokens: 1, generatedTokens: 5, queueMs: 0, loadMs: 0 })
    expectAgreement(
      await worker.run(greedy(prose(14, 200), { maxTokens: 5, topLogprobs: 2 })),
      await worker.run(greedy(prose(14, 200), { maxTokens: 5, topLogprobs: 2, cachePrompt: false })),
    )
  })
})
