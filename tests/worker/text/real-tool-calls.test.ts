import { describe, expect, setDefaultTimeout, test } from "bun:test"
import type { ChatRequest } from "../../../src/domain/chat"
import type { Tool, ToolUse } from "../../../src/domain/tools"
import { hasRealModel, REAL_MODEL_PATH, USUAL_SETTINGS } from "../../support/real/real-model"
import { realQwen } from "../../support/real/real-qwen"
import { RealWorker } from "../../support/real/real-worker"
import { greedyChat } from "../../support/requests"

setDefaultTimeout(600_000)

const qwen = realQwen()

const WEATHER: Tool = {
  name: "get_weather",
  description: "Get the current weather of a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
    required: ["city"],
    additionalProperties: false,
  },
  isStrict: true,
}

function asking(question: string, tools: Partial<ToolUse>, options: Partial<ChatRequest> = {}): ChatRequest {
  return greedyChat(question, {
    maxTokens: 120,
    tools: { tools: [WEATHER], choice: "auto", isParallel: false, ...tools },
    ...options,
  })
}

describe.skipIf(!hasRealModel())("the small real model", () => {
  test("calls a tool that it must call", async () => {
    await using worker = await RealWorker.start(REAL_MODEL_PATH, { settings: USUAL_SETTINGS })
    const run = await worker.run(asking("What is the weather in Paris?", { choice: "required" }))
    expect(run.parts().map(({ part }) => part)).toEqual(["tool-call"])
    expect(run.reason).toBe("tool_calls")
    expect(JSON.parse(run.calls()[0]?.text ?? "")).toMatchObject({ city: "Paris" })
    // The tools are explained to a model whose template has none.
    expect((await worker.render(asking("Hi", {}))).prompt).toContain("get_weather")
  })
})

describe.skipIf(qwen === undefined)("a real model that knows tools", () => {
  test("decides to call one", async () => {
    await using worker = await RealWorker.start(qwen ?? "", { settings: USUAL_SETTINGS })
    const run = await worker.run(asking("What is the weather in Paris right now?", {}))
    expect(run.parts().map(({ part }) => part)).toEqual(["tool-call"])
    expect(run.reason).toBe("tool_calls")
    expect(run.calls()[0]?.name).toBe("get_weather")
    expect(JSON.parse(run.calls()[0]?.text ?? "")).toMatchObject({ city: "Paris" })
  })
})
