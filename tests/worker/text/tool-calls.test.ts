import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ChatRequest } from "../../../src/domain/chat"
import type { Tool, ToolUse } from "../../../src/domain/tools"
import { writeTinyModel } from "../../support/files/tiny-model"
import { tinyVocabulary } from "../../support/files/tiny-vocabulary"
import { faultIn, randomTools, type SmallSchema } from "../../support/random-tools"
import { RealWorker, type Run } from "../../support/real/real-worker"
import { greedyChat } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"
import {
  HERMES_TEMPLATE,
  MISTRAL_CONTROLS,
  MISTRAL_TEMPLATE,
  OPEN_THINKING_TEMPLATE,
  TAGGED_TEMPLATE,
} from "../../support/tool-templates"

setDefaultTimeout(300_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const SETTINGS = { slots: 8, contextLength: 4096 }

const WEATHER: Tool = {
  name: "get_weather",
  description: "Tells the weather.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", maxLength: 8 }, days: { type: "integer", minimum: 1, maximum: 9 } },
    required: ["city", "days"],
    additionalProperties: false,
  },
  isStrict: true,
}

const CLOCK: Tool = {
  name: "clock",
  isStrict: false,
  parameters: { type: "object", properties: {}, required: [], additionalProperties: false },
}

function use(tools: readonly Tool[], options: Partial<ToolUse> = {}): ToolUse {
  return { tools, choice: "required", isParallel: true, ...options }
}

function asking(tools: ToolUse, options: Partial<ChatRequest> = {}): ChatRequest {
  return greedyChat("What is the weather in Paris?", { maxTokens: 400, tools, ...options })
}

const FAMILIES: Readonly<
  Record<string, { readonly template: string; readonly controls?: readonly string[] }>
> = {
  hermes: { template: HERMES_TEMPLATE },
  mistral: { template: MISTRAL_TEMPLATE, controls: MISTRAL_CONTROLS },
  tagged: { template: TAGGED_TEMPLATE },
  thinking: { template: OPEN_THINKING_TEMPLATE },
}

function model(family: string, options: Parameters<typeof writeTinyModel>[1] = {}): string {
  const { template = null, controls = [] } = FAMILIES[family] ?? {}
  const name = Bun.hash(JSON.stringify([family, options])).toString(16)
  return writeTinyModel(join(folder.path, `${name}.gguf`), {
    chatTemplate: template,
    controls,
    vocab: 600,
    ...options,
  }).path
}

/** Checks every call of an answer that ended by itself; returns how many there were. */
function checkCalls(run: Run, tools: ToolUse, choice = 0): number {
  const calls = run.calls(choice)
  const { reason } = run.finish(choice)
  if (reason === "length") return 0
  expect(reason).toBe(calls.length > 0 ? "tool_calls" : "stop")
  if (tools.choice === "required") expect(calls.length).toBeGreaterThan(0)
  if (!tools.isParallel) expect(calls.length).toBeLessThanOrEqual(1)
  for (const { name, text } of calls) {
    expect(tools.callable ?? tools.tools.map((tool) => tool.name)).toContain(name)
    const { parameters } = tools.tools.find((tool) => tool.name === name) ?? {}
    const value: unknown = JSON.parse(text)
    if (parameters !== undefined) expect(faultIn(parameters as unknown as SmallSchema, value)).toBeUndefined()
  }
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
  return calls.length
}

describe.each(["hermes", "mistral", "tagged"])("calls that are forced, in the style of %s", (family) => {
  test("are those of random tools, with arguments that fit", async () => {
    await using worker = await RealWorker.start(model(family), { settings: SETTINGS })
    let calls = 0
    for (let round = 0; round < 9; round++) {
      const cases = Array.from({ length: 8 }, (_, index) => {
        const seed = 1 + round * 8 + index
        const tools = randomTools(seed)
        const [first] = tools
        const choices: readonly Partial<ToolUse>[] = [
          { isParallel: false },
          { callable: [first?.name ?? ""], isParallel: false },
          {},
          { isParallel: false },
          { choice: "auto" },
        ]
        return {
          tools: use(tools, choices[seed % choices.length]),
          sampling: { temperature: seed % 2 === 0 ? 0 : 1.3, seed },
        }
      })
      const runs = await worker.runAll(
        cases.map(({ tools, sampling }) => asking(tools, { sampling, maxTokens: 250 })),
      )
      runs.forEach((run, index) => (calls += checkCalls(run, cases[index]!.tools)))
    }
    expect(calls).toBeGreaterThan(20)
  })

  test("have one part each, whose pieces join to the same as the whole", async () => {
    await using worker = await RealWorker.start(model(family), { settings: SETTINGS })
    const run = await worker.run(
      asking(use([WEATHER, CLOCK], { callable: ["get_weather"], isParallel: false })),
    )
    expect(run.parts().map(({ part }) => part)).toEqual(["tool-call"])
    expect(run.reason).toBe("tool_calls")
    const [call] = run.calls()
    expect(call?.name).toBe("get_weather")
    expect(Object.keys(JSON.parse(call?.text ?? ""))).toEqual(["city", "days"])
    // The name comes before the arguments.
    const types = run.events.map(({ type }) => type)
    expect(types.indexOf("part-start")).toBeLessThan(types.indexOf("delta"))
    expect(run.events.filter(({ type }) => type === "delta").length).toBeGreaterThan(3)
  })

  test("come in every choice", async () => {
    await using worker = await RealWorker.start(model(family), { settings: SETTINGS })
    const tools = use([WEATHER])
    const run = await worker.run(asking(tools, { n: 2, sampling: { temperature: 1, seed: 3 } }))
    checkCalls(run, tools, 0)
    checkCalls(run, tools, 1)
  })

  test("are cut by the token limit, with the arguments so far", async () => {
    await using worker = await RealWorker.start(model(family), { settings: SETTINGS })
    const request = asking(use([WEATHER], { isParallel: false }))
    const all = await worker.run(request)
    const deltas = all.events.filter((event) => event.type === "delta")
    const half = deltas.slice(0, Math.ceil(deltas.length / 2)).reduce((sum, { tokens }) => sum + tokens, 0)
    const whole = all.calls()[0]?.text ?? ""
    const run = await worker.run({ ...request, maxTokens: half })
    expect(run.reason).toBe("length")
    const cut = run.calls()[0]?.text ?? ""
    expect(whole.startsWith(cut)).toBe(true)
    expect(whole.length).toBeGreaterThan(cut.length)
  })
})

test("an answer may end after the blanks that stand before a further call", async () => {
  // Writes a line end after each tag, and then wants to end.
  const chain = chainOf([">", "\n", "<|im_end|>"])
  await using worker = await RealWorker.start(model("hermes", { chain }), { settings: SETTINGS })
  for (const isParallel of [true, false]) {
    const tools = use([WEATHER], { isParallel })
    const run = await worker.run(asking(tools))
    expect(run.parts().map(({ part }) => part)).toEqual(["tool-call"])
    expect(checkCalls(run, tools)).toBe(1)
  }
})

/** The pairs of tokens that make a model write these, once it has come to the first. */
function chainOf(tokens: readonly string[], controls: readonly string[] = []): [number, number][] {
  const { idOf } = tinyVocabulary({ size: 600, fim: false, controls })
  const ids = tokens.map(idOf)
  return ids.slice(1).map((id, index) => [ids[index] ?? 0, id])
}

const BEGINS_CALL = chainOf(["\n", "so", "<", "to", "ol", "_", "ca", "ll", ">"])

describe("with calls that are free", () => {
  const auto = use([WEATHER], { choice: "auto", isParallel: false })

  test("a call that the model begins is one of the tools, after the text before it", async () => {
    await using worker = await RealWorker.start(model("hermes", { chain: BEGINS_CALL }), {
      settings: SETTINGS,
    })
    for (const topLogprobs of [undefined, 1]) {
      const run = await worker.run(asking(auto, topLogprobs === undefined ? {} : { topLogprobs }))
      expect(run.parts().map(({ part }) => part)).toEqual(["text", "tool-call"])
      expect(run.said()).toBe("so")
      expect(checkCalls(run, auto)).toBe(1)
      // All tokens but the last, which ends the answer.
      if (topLogprobs !== undefined) expect(run.logprobs().length).toBe(run.finish().completionTokens - 1)
    }
  })

  test("the control token of the section begins one, and the text of its name does not", async () => {
    const chain = chainOf(["\n", "so", "[TOOL_CALLS]"], MISTRAL_CONTROLS)
    await using worker = await RealWorker.start(model("mistral", { chain, anyToken: true }), {
      settings: SETTINGS,
    })
    const run = await worker.run(asking(auto))
    expect(run.said()).toBe("so")
    expect(checkCalls(run, auto)).toBe(1)
    expect(run.calls()[0]?.id).toMatch(/^[A-Za-z0-9]{9}$/)
    const spelled = [..."[TOOL_CALLS]"]
    const spelling = chainOf(["\n", ...spelled.slice(0, 3)], MISTRAL_CONTROLS)
    await using other = await RealWorker.start(model("mistral", { chain: spelling }), { settings: SETTINGS })
    const text = await other.run(asking(auto, { maxTokens: 30 }))
    expect(text.parts().map(({ part }) => part)).toEqual(["text"])
    expect(text.said()).toStartWith("[TO")
  })

  test("an answer without a call is text, and so is any where none may be called", async () => {
    await using worker = await RealWorker.start(model("hermes"), { settings: SETTINGS })
    const run = await worker.run(asking(auto, { maxTokens: 40 }))
    expect(run.parts().map(({ part }) => part)).toEqual(["text"])
    const none = asking({ ...auto, choice: "none" }, { maxTokens: 40 })
    expect((await worker.run(none)).parts().map(({ part }) => part)).toEqual(["text"])
    expect((await worker.render(none)).grammar).toBeUndefined()
  })

  test("and a schema, an answer is a call or a text of the schema", async () => {
    const output = { type: "choice", choices: ["yes", "no"] } as const
    await using calling = await RealWorker.start(
      model("hermes", { chain: chainOf(["\n", "<", "to", "ol", "_", "ca", "ll", ">"]) }),
      { settings: SETTINGS },
    )
    const call = await calling.run(asking(auto, { output }))
    expect(call.parts().map(({ part }) => part)).toEqual(["tool-call"])
    expect(checkCalls(call, auto)).toBe(1)
    const chain = chainOf(["\n", "y"])
    await using saying = await RealWorker.start(model("hermes", { chain }), { settings: SETTINGS })
    const said = await saying.run(asking(auto, { output }))
    expect(said.parts()).toEqual([{ part: "text", text: "yes" }])
    expect(said.reason).toBe("stop")
  })
})

test("a stop text ends the text, but is not looked for in arguments", async () => {
  await using worker = await RealWorker.start(model("hermes", { chain: BEGINS_CALL }), { settings: SETTINGS })
  const auto = use([WEATHER], { choice: "auto", isParallel: false })
  const free = await worker.run(asking(auto))
  const run = await worker.run(asking(auto, { stop: ["city", '"', "}"] }))
  expect(run.calls().map(({ text }) => text)).toEqual(free.calls().map(({ text }) => text))
  expect(run.reason).toBe("tool_calls")
  const stopped = await worker.run(asking(auto, { stop: ["o"] }))
  expect(stopped.parts()).toEqual([{ part: "text", text: "s" }])
  expect(stopped.finish()).toMatchObject({ reason: "stop", stop: "o" })
})

test("the ids of all tokens are reported where they are wanted", async () => {
  await using worker = await RealWorker.start(model("hermes"), { settings: SETTINGS })
  const run = await worker.run(asking(use([WEATHER], { isParallel: false }), { reportsTokens: true }))
  expect(run.parts().map(({ part }) => part)).toEqual(["tool-call"])
  const ids = run.events.flatMap((event) => (event.type === "delta" ? (event.ids ?? []) : []))
  expect(ids.length).toBe(run.finish().completionTokens)
})

test("thinking comes before a call that is forced", async () => {
  await using worker = await RealWorker.start(model("thinking"), { settings: SETTINGS })
  const tools = use([WEATHER], { isParallel: false })
  const run = await worker.run(asking(tools, { reasoning: { budgetTokens: 12 } }))
  expect(run.parts().map(({ part }) => part)).toEqual(["reasoning", "tool-call"])
  expect(checkCalls(run, tools)).toBe(1)
  const silent = await worker.run(asking(tools, { reasoning: { isEnabled: false } }))
  expect(silent.parts().map(({ part }) => part)).toEqual(["tool-call"])
})

describe("several answers with probabilities, seeds and a budget for the thinking", () => {
  const BUDGET = 6
  const CHOICES = [0, 1]
  let worker: RealWorker
  beforeAll(async () => {
    worker = await RealWorker.start(model("thinking"), { settings: SETTINGS })
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test.each<readonly [string, Partial<ToolUse>, Partial<ChatRequest>]>([
    ["calls that are forced", {}, {}],
    ["one call that is named", { callable: ["clock"], isParallel: false }, {}],
    ["calls that are free", { choice: "auto" }, {}],
    ["calls or a schema", { choice: "auto" }, { output: { type: "json" } }],
    ["no thinking", {}, { reasoning: { isEnabled: false } }],
    ["a ban of most tokens", {}, { minTokens: 20 }],
  ])("with %s", async (_name, options, request) => {
    const tools = use([WEATHER, CLOCK], options)
    const wanted = asking(tools, {
      n: CHOICES.length,
      topLogprobs: 2,
      reportsTokens: true,
      reasoning: { budgetTokens: BUDGET },
      sampling: { temperature: 1, seed: 5 },
      maxTokens: 120,
      ...request,
    })
    const runs = await worker.runAll([wanted, wanted])
    for (const run of runs) {
      expect(run.error).toBeUndefined()
      let tokens = 0
      for (const choice of CHOICES) {
        checkCalls(run, tools, choice)
        const { reason, completionTokens } = run.finish(choice)
        tokens += completionTokens
        // The token that ends an answer has no text, and what is cut may have a part without any.
        const shown = run.logprobs(choice).length
        expect(shown).toBeLessThanOrEqual(completionTokens)
        if (reason !== "length") expect(shown).toBeGreaterThanOrEqual(completionTokens - 1)
        for (const { logprob, top } of run.logprobs(choice)) {
          expect(logprob).toBeLessThanOrEqual(1e-3)
          expect(top.length).toBeLessThanOrEqual(2)
        }
      }
      expect(run.done.usage.completionTokens).toBe(tokens)
    }
    // The ids of calls are all different.
    const textsOf = (run: Run): unknown =>
      CHOICES.map((choice) => run.parts(choice).map(({ part, text }) => [part, text]))
    expect(runs.map(textsOf)[1]).toEqual(runs.map(textsOf)[0])
  })
})

test("calls go on after a pause as if there had been none", async () => {
  const path = model("hermes")
  const list: Tool = {
    name: "set",
    isStrict: false,
    parameters: {
      type: "object",
      properties: { on: { type: "array", items: { type: "boolean" }, minItems: 60, maxItems: 60 } },
      required: ["on"],
      additionalProperties: false,
    },
  }
  const tools = use([list], { isParallel: false })
  const requests = [1, 2, 3, 4].map((seed) =>
    asking(tools, { sampling: { temperature: 1, seed }, cachePrompt: false, maxTokens: 700 }),
  )
  await using full = await RealWorker.start(path, {
    settings: { slots: 4, contextLength: 1024, kvLayout: "unified", kvCells: 1024 },
  })
  const counted = await full.counted(async () => {
    for (const run of await full.runAll(requests)) {
      expect(checkCalls(run, tools)).toBe(1)
      expect(JSON.parse(run.calls()[0]?.text ?? "")).toMatchObject({ on: { length: 60 } })
    }
  })
  expect(counted.preemptions).toBeGreaterThan(0)
})

test("sixteen answers with calls take one step each beside another stream", async () => {
  await using worker = await RealWorker.start(model("hermes"), {
    settings: { slots: 17, contextLength: 2048 },
  })
  const stream = worker.submit(greedyChat("Tell me a story.", { maxTokens: 400 }))
  await stream.tokens(3)
  const tools = use([WEATHER])
  const before = worker.steps.length
  const runs = await worker.runAll(
    Array.from({ length: 16 }, (_, seed) =>
      asking(tools, { maxTokens: 120, sampling: { temperature: 1, seed } }),
    ),
  )
  const after = worker.steps.length
  for (const run of runs) checkCalls(run, tools)
  // No step that computed anything was without a token of the stream, as long as it ran.
  const steps = worker.steps.slice(before, after)
  const withStream = steps.filter(({ events }) => events.some(({ id }) => id === stream.id))
  const computed = steps.filter(({ usage }) => usage !== undefined)
  expect(withStream.length).toBeGreaterThanOrEqual(Math.min(computed.length, 390) - 1)
  await stream.over
})

describe("what cannot be had is refused before the first token", () => {
  test("a strict schema that cannot be enforced, while others go on", async () => {
    await using worker = await RealWorker.start(model("hermes"), { settings: SETTINGS })
    const other = worker.submit(greedyChat("Hello", { maxTokens: 100 }))
    const strict: Tool = { ...WEATHER, parameters: { type: "object", not: {} } }
    const failure = await worker.failure(asking(use([strict])))
    expect(failure).toMatchObject({ code: "invalid_request_error", status: 400 })
    await other.over
    expect(other.done.usage.completionTokens).toBe(100)
  })
})

test("the shown prompt has the tools, the grammar and the syntax", async () => {
  await using worker = await RealWorker.start(model("hermes"), { settings: SETTINGS })
  const rendered = await worker.render(asking(use([WEATHER])))
  expect(rendered.prompt).toContain("get_weather")
  expect(rendered.grammar).toContain("get")
  expect(rendered.toolSyntax).toMatchObject({ origin: "learned", isParallel: true })
})
