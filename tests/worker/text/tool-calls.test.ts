import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ChatRequest } from "../../../src/domain/chat"
import type { Tool, ToolUse } from "../../../src/domain/tools"
import { writeTinyModel } from "../../support/files/tiny-model"
import { faultIn, randomTools, type SmallSchema } from "../../support/random-tools"
import { RealWorker, type Run } from "../../support/real/real-worker"
import { greedyChat } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"
import {
  HERMES_TEMPLATE,
  MISTRAL_CONTROLS,
  MISTRAL_TEMPLATE,
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

const CLOCK: Tool = { name: "clock", isStrict: false, parameters: { type: "object", properties: {} } }

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

describe.each(Object.keys(FAMILIES))("calls that are forced, in the style of %s", (family) => {
  test("are those of random tools, with arguments that fit", async () => {
    await using worker = await RealWorker.start(model(family), { settings: SETTINGS })
    let calls = 0
    for (let round = 0; round < 9; round++) {
      const cases = Array.from({ length: 8 }, (_, index) => {
        const seed = 1 + round * 8 + index
        const tools = randomTools(seed)
        const [first] = tools
        const choices: readonly Partial<ToolUse>[] = [
          {},
          { isParallel: false },
          { callable: [first?.name ?? ""] },
          { choice: "auto" },
        ]
        return {
          tools: use(tools, choices[seed % choices.length]),
          sampling: { temperature: seed % 2 === 0 ? 0 : 1.3, seed },
        }
      })
      const runs = await worker.runAll(cases.map(({ tools, sampling }) => asking(tools, { sampling })))
      runs.forEach((run, index) => (calls += checkCalls(run, cases[index]!.tools)))
    }
    expect(calls).toBeGreaterThan(30)
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
