import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { CompletionRequest, OutputConstraint } from "../../../src/domain/chat"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker } from "../../support/real/real-worker"
import { greedy } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const { path, eos } = writeTinyModel(join(folder.path, "model.gguf"))

const PERSON: OutputConstraint = {
  type: "schema",
  isStrict: true,
  schema: {
    type: "object",
    properties: {
      name: { type: "string", maxLength: 8 },
      age: { type: "integer", minimum: 0, maximum: 120 },
      tags: { type: "array", items: { enum: ["red", "green", "blue"] }, maxItems: 3 },
      note: { type: ["string", "null"], maxLength: 4 },
    },
    required: ["name", "age", "tags"],
  },
}

function within(output: OutputConstraint, options: Partial<CompletionRequest> = {}): CompletionRequest {
  return greedy([305, 306, 307], { maxTokens: 300, output, ...options })
}

describe("an answer within a schema", () => {
  test("is JSON of that schema, greedy and sampled, in several choices", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 4, contextLength: 512 } })
    const runs = [within(PERSON)]
    for (let seed = 1; seed <= 12; seed++)
      runs.push(within(PERSON, { n: 2, sampling: { temperature: 1.5, seed } }))
    for (const request of runs) {
      const run = await worker.run(request)
      for (let choice = 0; choice < request.n; choice++) {
        expect(run.finish(choice).reason).toBe("stop")
        const value = JSON.parse(run.text(choice)) as Record<string, unknown>
        expect(Object.keys(value)).toContainValues(["name", "age", "tags"])
        expect(Array.from(String(value["name"])).length).toBeLessThanOrEqual(8)
        expect(
          Number.isInteger(value["age"]) && Number(value["age"]) >= 0 && Number(value["age"]) <= 120,
        ).toBe(true)
        for (const tag of value["tags"] as string[]) expect(["red", "green", "blue"]).toContain(tag)
      }
    }
  })

  test("is the same for the same seed, with and without a cached prompt", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 2, contextLength: 512 } })
    const request = within(PERSON, { sampling: { temperature: 1.2, seed: 7 } })
    const first = await worker.run(request)
    expect((await worker.run(request)).text()).toBe(first.text())
  })

  test("may not end early, even if the request bans what it needs", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 2, contextLength: 512 } })
    const bans: CompletionRequest["sampling"]["logitBias"] = Array.from({ length: 400 }, (_, id) => [
      id,
      -Infinity,
    ])
    const run = await worker.run(
      within({ type: "choice", choices: ["yes", "no"] }, { sampling: { temperature: 0, logitBias: bans } }),
    )
    expect(["yes", "no"]).toContain(run.text())
    const ignoring = await worker.run(
      within(
        { type: "choice", choices: ["yes", "no"] },
        { minTokens: 50, sampling: { temperature: 0, ignoreEos: true } },
      ),
    )
    expect(["yes", "no"]).toContain(ignoring.text())
    expect(ignoring.reason).toBe("stop")
  })

  test("is cut by the token limit, and says so", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 2, contextLength: 512 } })
    expect((await worker.run(within(PERSON, { maxTokens: 3 }))).reason).toBe("length")
  })

  test("is not cut by a stop text within it", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 2, contextLength: 512 } })
    const run = await worker.run(within(PERSON, { stop: ["age", '"'] }))
    expect(() => JSON.parse(run.text())).not.toThrow()
  })

  test("never has control tokens in its texts", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 2, contextLength: 512 } })
    const output: OutputConstraint = { type: "regex", pattern: "[^]{12}" }
    // The names of <|im_start|> and others would match as 12 characters.
    const favoured: CompletionRequest["sampling"]["logitBias"] = [[1, 1000]]
    const run = await worker.run(within(output, { sampling: { temperature: 0, logitBias: favoured } }))
    expect(run.text()).not.toContain("<|im_start|>")
    const named: OutputConstraint = { type: "grammar", source: 'root ::= <[1]> "a"' }
    expect((await worker.run(within(named))).text()).toBe("<|im_start|>a")
  })
})

describe("a constraint that cannot be used is refused before the first token", () => {
  test.each<[OutputConstraint, string]>([
    [{ type: "schema", schema: { not: {} }, isStrict: true }, "cannot be kept strictly: #/not"],
    [{ type: "schema", schema: { type: "nothing" }, isStrict: false }, "#/type must be one of"],
    [{ type: "regex", pattern: "(" }, "the regular expression is none"],
    [{ type: "regex", pattern: "(?=a)" }, "uses lookaround"],
    [{ type: "grammar", source: "root ::= other" }, "uses 'other'"],
    [{ type: "grammar", source: "root ::= <[100000]>" }, "names token 100000"],
  ])("%j", async (output, message) => {
    await using worker = await RealWorker.start(path, { settings: { slots: 1, contextLength: 512 } })
    const failure = await worker.failure(within(output))
    expect(failure).toMatchObject({ code: "invalid_request_error", status: 400 })
    expect(failure.message).toContain(message)
    expect((await worker.run(within({ type: "choice", choices: ["ok"] }))).text()).toBe("ok")
  })

  test("keywords that are not enforced are reported with the answer", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 1, contextLength: 512 } })
    const schema = { type: "array", items: { type: "boolean" }, maxItems: 3, uniqueItems: true }
    const run = await worker.run(within({ type: "schema", schema, isStrict: false }))
    expect(run.prompt.warnings).toEqual([
      "not enforced: #/uniqueItems: it cannot be enforced while text is generated",
    ])
  })
})

test("log probabilities are those of the model, not of what the grammar leaves", async () => {
  await using worker = await RealWorker.start(path, { settings: { slots: 1, contextLength: 512 } })
  const free = await worker.run(greedy([305, 306, 307], { maxTokens: 1, topLogprobs: 3, cachePrompt: false }))
  const bound = await worker.run(
    within({ type: "choice", choices: ["zebra"] }, { topLogprobs: 3, cachePrompt: false }),
  )
  expect(bound.logprobs()[0]?.top).toEqual(free.logprobs()[0]?.top ?? [])
  expect(bound.text()).toBe("zebra")
  expect(eos).toBe(2)
})
