import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ChatRequest, OutputConstraint } from "../../../src/domain/chat"
import { type TinyModelOptions, writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker } from "../../support/real/real-worker"
import { greedyChat } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"
import { OPEN_THINKING_TEMPLATE, THINKING_TEMPLATE } from "../../support/tool-templates"

setDefaultTimeout(120_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const SETTINGS = { slots: 4, contextLength: 1024 }

let models = 0

function model(options: TinyModelOptions = {}): string {
  return writeTinyModel(join(folder.path, `${models++}.gguf`), {
    chatTemplate: OPEN_THINKING_TEMPLATE,
    ...options,
  }).path
}

function asking(options: Partial<ChatRequest> = {}): ChatRequest {
  return greedyChat("How far is the moon?", { maxTokens: 60, ...options })
}

const YES_OR_NO: OutputConstraint = { type: "choice", choices: ["yes", "no"] }

describe("a model that is set to think, or not", () => {
  test("does so where a request does not say", async () => {
    const settings = { ...SETTINGS, reasoning: "off" } as const
    await using worker = await RealWorker.start(model(), { settings })
    const silent = await worker.run(asking())
    expect(silent.parts().map(({ part }) => part)).toEqual(["text"])
    const asked = await worker.run(asking({ reasoning: { isEnabled: true }, maxTokens: 20 }))
    expect(asked.parts().map(({ part }) => part)).toEqual(["reasoning"])
    const { prompt } = await worker.render(asking({ templateArguments: { enable_thinking: true } }))
    expect(prompt.trimEnd()).toEndWith("<think>")
  })

  test("thinks no longer than its budget where a request has none", async () => {
    await using worker = await RealWorker.start(model(), { settings: { ...SETTINGS, reasoningBudget: 3 } })
    const silent = await worker.run(asking())
    expect(silent.parts().map(({ part }) => part)).toEqual(["reasoning", "text"])
    expect(silent.done.usage.reasoningTokens).toBeLessThanOrEqual(3 + "</think>".length)
    const asked = await worker.run(asking({ reasoning: { budgetTokens: 30 } }))
    expect(asked.done.usage.reasoningTokens).toBeGreaterThan(30)
  })

  test("warns of no template that has no thinking", async () => {
    const plain = writeTinyModel(join(folder.path, "plain.gguf")).path
    await using worker = await RealWorker.start(plain, { settings: { ...SETTINGS, reasoning: "on" } })
    const run = await worker.run(asking({ maxTokens: 4 }))
    expect(run.prompt.warnings).toBeUndefined()
  })
})

describe("an answer whose prompt opens the thinking", () => {
  test("is thinking until that ends", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    const run = await worker.run(asking({ maxTokens: 20 }))
    expect(run.parts().map(({ part }) => part)).toEqual(["reasoning"])
    expect(run.done.usage).toMatchObject({ completionTokens: 20, reasoningTokens: 20 })
    expect(run.reason).toBe("length")
  })

  test("ends its thinking when the budget is used up, and goes on", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    const free = await worker.run(asking())
    for (const budgetTokens of [1, 10]) {
      const run = await worker.run(asking({ reasoning: { budgetTokens }, topLogprobs: 0 }))
      const [thought, said, ...more] = run.parts()
      expect([thought?.part, said?.part, more.length]).toEqual(["reasoning", "text", 0])
      // Up to its end it is what the model thinks without a budget.
      expect(free.parts()[0]?.text.startsWith(thought?.text ?? "?")).toBe(true)
      expect(`${thought?.text}${said?.text}`).not.toContain("think>")
      const { usage } = run.done
      expect(usage.reasoningTokens).toBeGreaterThan(budgetTokens)
      expect(usage.reasoningTokens).toBeLessThanOrEqual(budgetTokens + "</think>".length)
      // Every token has its log probability, also those of the marker.
      expect(run.logprobs().length).toBe(60)
      expect(run.shown).toBe(60)
    }
  })

  test("has its budget in every choice", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    const run = await worker.run(
      asking({ n: 2, reasoning: { budgetTokens: 5 }, sampling: { temperature: 1, seed: 5 } }),
    )
    for (const choice of [0, 1])
      expect(run.parts(choice).map(({ part }) => part)).toEqual(["reasoning", "text"])
    expect(run.done.usage.reasoningTokens).toBeLessThanOrEqual(2 * (5 + "</think>".length))
  })

  test("has a schema for what follows the thinking only", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    const run = await worker.run(asking({ output: YES_OR_NO, reasoning: { budgetTokens: 10 } }))
    expect(run.parts().map(({ part }) => part)).toEqual(["reasoning", "text"])
    expect(["yes", "no"]).toContain(run.said())
    expect(run.reason).toBe("stop")
    expect(run.parts()[0]?.text.length).toBeGreaterThan(4)
  })

  test("without thinking is only the answer", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    for (const reasoning of [{ effort: "none" }, { isEnabled: false }, { budgetTokens: 0 }]) {
      const run = await worker.run(asking({ reasoning, output: YES_OR_NO }))
      expect(run.parts().map(({ part }) => part)).toEqual(["text"])
      expect(["yes", "no"]).toContain(run.said())
      expect(run.done.usage.reasoningTokens).toBe(0)
    }
  })

  test("has the thinking in its text if that is wanted, with both markers", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    const apart = await worker.run(asking({ reasoning: { budgetTokens: 5 } }))
    const run = await worker.run(asking({ reasoning: { budgetTokens: 5, isInline: true } }))
    expect(run.parts().every(({ part }) => part === "text")).toBe(true)
    expect(run.said()).toMatch(/^<think>\n[^]+<\/think>/)
    expect(run.said().replaceAll(/\s/g, "")).toBe(
      `<think>${apart.parts()[0]?.text}</think>${apart.said()}`.replaceAll(/\s/g, ""),
    )
    expect(run.done.usage.reasoningTokens).toBe(apart.done.usage.reasoningTokens ?? -1)
  })

  test("says what it waits for when the prompt is shown", async () => {
    await using worker = await RealWorker.start(model(), { settings: SETTINGS })
    const rendered = await worker.render(asking({ output: YES_OR_NO }))
    expect(rendered.reasoning).toEqual({ start: "<think>", end: "</think>", isOpen: true })
    expect(rendered.grammar).toContain("root ::=")
    expect((await worker.render(asking({ reasoning: { effort: "none" } }))).reasoning?.isOpen).toBe(false)
  })
})

/** The pairs of tokens that make a model write this text, once it has come to its first character. */
function chainOf(text: string): [after: number, next: number][] {
  // Control tokens, then the bytes.
  const ids = [...Buffer.from(text)].map((byte) => 3 + byte)
  return ids.slice(1).map((id, index) => [ids[index] ?? 0, id])
}

describe("a model that begins its thinking itself", () => {
  test("may do so before an answer of a schema", async () => {
    const path = model({ chatTemplate: THINKING_TEMPLATE, chain: chainOf("\n<think>") })
    await using worker = await RealWorker.start(path, { settings: SETTINGS })
    const run = await worker.run(asking({ output: YES_OR_NO, reasoning: { budgetTokens: 6 } }))
    expect(run.parts().map(({ part }) => part)).toEqual(["reasoning", "text"])
    expect(["yes", "no"]).toContain(run.said())
    const silent = await worker.run(asking({ output: YES_OR_NO, reasoning: { isEnabled: false } }))
    expect(silent.parts().map(({ part }) => part)).toEqual(["text"])
    expect(["yes", "no"]).toContain(silent.said())
  })
})
