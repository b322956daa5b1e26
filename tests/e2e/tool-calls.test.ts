import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type OpenAI from "openai"
import { zodFunction } from "openai/helpers/zod"
import { z } from "zod"
import { Installation, type InstalledServer } from "../support/installation"
import { hasRealModel, REAL_MODEL_PATH } from "../support/real/real-model"
import { QWEN, realQwen } from "../support/real/real-qwen"

setDefaultTimeout(240_000)

/** A ChatML template with thinking, as Qwen 3's. */
const THINKER = `FROM ./small.gguf
TEMPLATE """{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' and message.reasoning_content %}
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
{%- endif %}
{{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- else %}
{{- '<think>\\n' }}
{%- endif %}
{%- endif %}"""
`

const Weather = z.object({
  city: z.enum(["Oslo", "Rome"]),
  unit: z.enum(["celsius", "fahrenheit"]),
  days: z.number().int().min(1).max(9),
})

const WEATHER = zodFunction({
  name: "get_weather",
  description: "The weather of a city",
  parameters: Weather,
})
const TIME = zodFunction({
  name: "get_time",
  description: "The time of a place",
  parameters: z.object({ place: z.string().max(20) }),
})

interface Thoughtful {
  readonly reasoning_content?: string
  readonly content?: string | null
}

describe.skipIf(!hasRealModel())("a small real model", () => {
  let xllm: Installation
  let server: InstalledServer
  let client: OpenAI

  beforeAll(async () => {
    xllm = await Installation.create()
    symlinkSync(REAL_MODEL_PATH, join(xllm.models, "small.gguf"))
    symlinkSync(REAL_MODEL_PATH, join(xllm.folder, "small.gguf"))
    writeFileSync(join(xllm.folder, "Modelfile"), THINKER)
    const created = await xllm.run(["create", "thinker", "-f", "Modelfile"])
    expect(created.err).not.toContain("Error")
    server = await xllm.serve([], { loading: ["--ctx", "2048", "--slots", "4", "--gpu-layers", "0"] })
    client = server.client()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    xllm[Symbol.dispose]()
  })

  const asked = {
    model: "small",
    messages: [{ role: "user" as const, content: "What is the weather like in Rome?" }],
    temperature: 0,
    seed: 1,
    max_tokens: 300,
  }

  test("calls the tool that is named, with arguments of its schema", async () => {
    const { choices } = await client.chat.completions.parse({
      ...asked,
      tools: [WEATHER, TIME],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    })
    expect(choices[0]?.finish_reason).toBe("tool_calls")
    expect(choices[0]?.message.content).toBeNull()
    const [call, ...others] = choices[0]?.message.tool_calls ?? []
    expect(others).toEqual([])
    if (call?.type !== "function") throw new Error("there is no call")
    expect(call.id).not.toBe("")
    expect(call.function.name).toBe("get_weather")
    expect(Weather.safeParse(call.function.parsed_arguments).success).toBe(true)
  })

  test("calls some tool where one is required, in a stream as in a whole answer", async () => {
    const request = {
      ...asked,
      tools: [WEATHER, TIME],
      tool_choice: "required" as const,
      parallel_tool_calls: false,
    }
    const whole = await client.chat.completions.parse(request)
    const streamed = await client.chat.completions.stream(request).finalChatCompletion()
    const callsOf = ({ choices }: typeof whole) =>
      (choices[0]?.message.tool_calls ?? []).map((call) => call.type === "function" && call.function)
    expect(callsOf(whole)).toHaveLength(1)
    expect(callsOf(streamed)).toEqual(callsOf(whole))
    expect(streamed.choices[0]?.finish_reason).toBe("tool_calls")
  })

  test("runs the function of the named tool", async () => {
    const places: string[] = []
    const runner = client.chat.completions.runTools({
      ...asked,
      tools: [
        {
          type: "function",
          function: {
            name: "get_time",
            description: "The time of a place",
            parameters: {
              type: "object",
              properties: { place: { enum: ["Rome", "Oslo"] } },
              required: ["place"],
            },
            parse: JSON.parse,
            function: ({ place }: { place: string }) => {
              places.push(place)
              return "12:00"
            },
          },
        },
      ],
      tool_choice: { type: "function", function: { name: "get_time" } },
    })
    await runner.done()
    expect(places).toHaveLength(1)
    expect(["Rome", "Oslo"]).toContain(places[0] ?? "")
  })

  test("is not shown tools that it must not call", async () => {
    const { choices, usage } = await client.chat.completions.create({
      ...asked,
      max_tokens: 8,
      tools: [WEATHER],
      tool_choice: "none",
    })
    const plain = await client.chat.completions.create({ ...asked, max_tokens: 8 })
    expect(usage?.prompt_tokens).toBe(plain.usage?.prompt_tokens)
    expect(choices[0]?.message).toEqual(plain.choices[0]?.message as never)
  })

  test("shows the prompt, the grammar and the form of calls", async () => {
    const response = await server.post("/v0/render", { ...asked, tools: [WEATHER], tool_choice: "required" })
    const rendered = (await response.json()) as Readonly<Record<string, unknown>>
    expect(rendered["prompt"]).toContain("get_weather")
    expect(rendered["grammar"]).toContain("get_weather")
    expect(rendered["tool_syntax"]).toBeObject()
  })

  describe("with a template that thinks", () => {
    const thinking = { ...asked, model: "thinker", max_tokens: 60, ...{ thinking_budget_tokens: 12 } }

    test("thinks no longer than its budget, and then answers", async () => {
      const { choices, usage } = await client.chat.completions.create(thinking)
      const { reasoning_content = "", content } = choices[0]?.message as Thoughtful
      expect(reasoning_content).not.toBe("")
      expect(content).not.toBe("")
      expect(`${reasoning_content}${content}`).not.toContain("think>")
      const thought = usage?.completion_tokens_details?.reasoning_tokens ?? 0
      expect(thought).toBeGreaterThan(0)
      expect(thought).toBeLessThan(usage?.completion_tokens ?? 0)
    })

    test("streams the same", async () => {
      const whole = (await client.chat.completions.create(thinking)).choices[0]?.message as Thoughtful
      let thought = ""
      let text = ""
      for await (const { choices } of await client.chat.completions.create({ ...thinking, stream: true })) {
        const delta = choices[0]?.delta as Thoughtful | undefined
        thought += delta?.reasoning_content ?? ""
        text += delta?.content ?? ""
      }
      expect([thought, text]).toEqual([whole.reasoning_content ?? "", whole.content ?? ""])
    })

    test("does not think where it must not", async () => {
      const { choices } = await client.chat.completions.create({ ...thinking, reasoning_effort: "none" })
      expect(choices[0]?.message).not.toHaveProperty("reasoning_content")
      expect(choices[0]?.message.content).not.toBe("")
    })

    test("answers within a schema after it thought", async () => {
      const { choices } = await client.chat.completions.create({
        ...thinking,
        response_format: {
          type: "json_schema",
          json_schema: { name: "answer", schema: { enum: ["sunny", "rainy"] } },
        },
      })
      const { reasoning_content = "", content } = choices[0]?.message as Thoughtful
      expect(reasoning_content).not.toBe("")
      expect(['"sunny"', '"rainy"']).toContain(content ?? "")
    })

    test("prints the answer alone into a pipe", async () => {
      const argv = ["run", "thinker", "What is 2+2?", "--temperature", "0", "--max-tokens", "40", "--json"]
      const { out } = await xllm.run([...argv, "--host", server.url])
      const { text, reasoning } = JSON.parse(out) as { readonly text: string; readonly reasoning: string }
      expect(reasoning).not.toBe("")
      const piped = await xllm.run([...argv.slice(0, -1), "--host", server.url])
      expect(piped.out).toBe(`${text}\n`)
    })

    test("is listed as one that thinks", async () => {
      const { out } = await xllm.run(["show", "thinker"])
      expect(out).toContain("thinking")
    })
  })
})

const qwen = realQwen()

describe.skipIf(qwen === undefined)("a real Qwen", () => {
  let xllm: Installation
  let server: InstalledServer
  let client: OpenAI

  beforeAll(async () => {
    xllm = await Installation.create()
    symlinkSync(qwen ?? "", join(xllm.models, `${QWEN}.gguf`))
    server = await xllm.serve([], { loading: ["--ctx", "4096", "--slots", "2", "--gpu-layers", "0"] })
    client = server.client()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    xllm[Symbol.dispose]()
  })

  const greedy = { model: QWEN, temperature: 0, seed: 1, max_tokens: 200 }
  const user = (content: string) => [{ role: "user" as const, content }]

  /** A tool as `runTools` takes it, which notes the cities. */
  function weather(cities: string[]) {
    return {
      type: "function" as const,
      function: {
        name: "get_weather",
        description: "Get the weather of a city",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        parse: (text: string) => z.object({ city: z.string() }).parse(JSON.parse(text)),
        function: ({ city }: { city: string }) => {
          cities.push(city)
          return "23 degrees, sunny"
        },
      },
    }
  }

  /** Shows so small a model what to do with a result. */
  const EXAMPLE: OpenAI.ChatCompletionMessageParam[] = [
    ...user("What is the weather in Rome?"),
    {
      role: "assistant",
      content: "",
      tool_calls: [
        { id: "c1", type: "function", function: { name: "get_weather", arguments: '{"city": "Rome"}' } },
      ],
    },
    { role: "tool", tool_call_id: "c1", content: "31 degrees, cloudy" },
    { role: "assistant", content: "It is 31 degrees and cloudy in Rome." },
  ]

  test("asks for the weather of a city, and says it", async () => {
    const cities: string[] = []
    const runner = client.chat.completions.runTools({
      ...greedy,
      messages: [...EXAMPLE, ...user("Call get_weather for Paris.")],
      tools: [weather(cities)],
      parallel_tool_calls: false,
    })
    const answer = (await runner.finalContent()) ?? ""
    expect(cities[0]).toContain("Paris")
    expect(answer).toContain("23")
  })

  test("answers with text where no tool helps", async () => {
    const cities: string[] = []
    const runner = client.chat.completions.runTools({
      ...greedy,
      messages: user("Hello! How are you today?"),
      tools: [weather(cities)],
      stream: true,
    })
    expect(await runner.finalContent()).not.toBe("")
    expect(cities).toEqual([])
  })

  test("calls a tool several times in one answer, unless it must not", async () => {
    const { type, function: described } = weather([])
    const { name, description, parameters } = described
    const request = {
      ...greedy,
      messages: user("Get the current weather of Paris and of London. Call the function for both cities."),
      tools: [{ type, function: { name, description, parameters } }],
      tool_choice: "required" as const,
    }
    const callsOf = async (change: object) => {
      const { choices } = await client.chat.completions.create({ ...request, ...change, stream: false })
      expect(choices[0]?.finish_reason).toBe("tool_calls")
      return choices[0]?.message.tool_calls ?? []
    }
    const calls = await callsOf({})
    expect(calls.length).toBeGreaterThan(1)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
    expect(await callsOf({ parallel_tool_calls: false })).toHaveLength(1)
  })
})
