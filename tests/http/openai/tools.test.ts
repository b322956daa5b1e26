import { describe, expect, test } from "bun:test"
import { XllmError } from "../../../src/errors/base"
import { toChatCall } from "../../../src/http/openai/translate"
import { TOOLS as BOUND } from "../../../src/limits"
import { USER_HI } from "../../support/http"

const chat = (fields: object) => toChatCall({ messages: USER_HI, ...fields }).request
const messagesOf = (...messages: readonly object[]) => chat({ messages }).messages

/** The error that the fields lead to. */
function refused(fields: object) {
  try {
    chat(fields)
  } catch (error) {
    if (error instanceof XllmError) return error.toWire()
    throw error
  }
  throw new Error(`${JSON.stringify(fields)} was accepted`)
}

const tool = (name: string, more: object = {}) => ({ type: "function", function: { name, ...more } })
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
const TOOLS = [tool("weather", { description: "Says it", parameters: CITY, strict: true }), tool("now")]

/** As the engine gets them. */
const READ = [
  { name: "weather", description: "Says it", parameters: CITY, isStrict: true },
  { name: "now", isStrict: false },
]

describe("tools of a request", () => {
  test("are offered, and may be called side by side or not at all", () => {
    expect(chat({ tools: TOOLS }).tools).toEqual({ tools: READ, choice: "auto", isParallel: true })
    expect(chat({ tools: TOOLS, tool_choice: "required", parallel_tool_calls: false }).tools).toEqual({
      tools: READ,
      choice: "required",
      isParallel: false,
    })
  })

  test("of which one must be called are all offered, and it is called once", () => {
    const tool_choice = { type: "function", function: { name: "now" } }
    expect(chat({ tools: TOOLS, tool_choice }).tools).toEqual({
      ...{ tools: READ, choice: "required", callable: ["now"], isParallel: false },
    })
  })

  test("of which some are allowed are all offered", () => {
    const allow = (mode: string, ...names: string[]) => ({
      type: "allowed_tools",
      allowed_tools: { mode, tools: names.map((name) => tool(name)) },
    })
    expect(chat({ tools: TOOLS, tool_choice: allow("auto", "now", "now") }).tools).toEqual({
      ...{ tools: READ, choice: "auto", callable: ["now"], isParallel: true },
    })
    expect(chat({ tools: TOOLS, tool_choice: allow("required", "now", "weather") }).tools).toMatchObject({
      ...{ choice: "required", callable: ["now", "weather"] },
    })
    expect(chat({ tools: TOOLS, tool_choice: allow("auto") }).tools).toBeUndefined()
  })

  test("that no answer may call are left out", () => {
    expect(chat({ tools: TOOLS, tool_choice: "none" })).toEqual(chat({}))
    expect(chat({ functions: [{ name: "f" }], function_call: "none" })).toEqual(chat({}))
    expect(chat({ tools: [], tool_choice: "auto", functions: [], parallel_tool_calls: true })).toEqual(
      chat({}),
    )
  })

  test("may have the older form, in which an answer has one call", () => {
    const call = toChatCall({ messages: USER_HI, functions: [{ name: "now" }] })
    expect(call.request.tools).toEqual({
      ...{ tools: [{ name: "now", isStrict: false }], choice: "auto", isParallel: false },
    })
    expect(call.reply.isOldForm).toBe(true)
    expect(chat({ functions: [{ name: "now" }], function_call: { name: "now" } }).tools).toMatchObject({
      ...{ choice: "required", callable: ["now"] },
    })
  })

  test("have names that fit every template", () => {
    for (const name of ["a", "get_weather", "mcp.files-read.v2", "x".repeat(64)])
      expect(chat({ tools: [tool(name)] }).tools?.tools).toEqual([{ name, isStrict: false }])
    for (const name of ["", "get weather", "f()", "größe", "x".repeat(65)])
      expect(refused({ tools: [tool(name)] }).message).toStartWith(
        "tools[0].function.name must be 1 to 64 letters, digits, underscores, dashes and dots, got ",
      )
  })

  test.each([
    [{ tools: {} }, "tools", "tools must be an array, got an object"],
    [{ tools: ["f"] }, "tools[0]", 'tools[0] must be an object, got "f"'],
    [{ tools: [{}] }, "tools[0].type", 'tools[0].type is required: it must be "function"'],
    [
      { tools: [{ type: "function" }] },
      "tools[0].function",
      "tools[0].function must be an object, got nothing",
    ],
    [
      { tools: [{ type: "function", function: {} }] },
      "tools[0].function.name",
      "tools[0].function.name is required",
    ],
    [
      { tools: [...TOOLS, tool("now")] },
      "tools[2].function.name",
      "tools[2].function.name 'now' is the name of an earlier tool",
    ],
    [
      { tools: [tool("f", { parameters: [] })] },
      "tools[0].function.parameters",
      "tools[0].function.parameters must be an object, got an array",
    ],
    [
      { tools: [tool("f", { parameters: { type: "string" } })] },
      "tools[0].function.parameters.type",
      'tools[0].function.parameters.type must be "object": the arguments of a function have names, got "string"',
    ],
    [
      { tools: [tool("f", { strict: "yes" })] },
      "tools[0].function.strict",
      'tools[0].function.strict must be true or false, got "yes"',
    ],
    [
      { functions: [{ name: "f" }, { name: "f" }] },
      "functions[1].name",
      "functions[1].name 'f' is the name of an earlier tool",
    ],
    [
      { tools: TOOLS, functions: [{ name: "f" }] },
      "functions",
      "tools and functions cannot be combined: use tools alone",
    ],
    [
      { tools: TOOLS, tool_choice: "any" },
      "tool_choice",
      'tool_choice must be one of none, auto, required, got "any"',
    ],
    [{ tool_choice: "required" }, "tool_choice", "tool_choice required needs tools: there are none to call"],
    [
      { tools: TOOLS, tool_choice: tool("then") },
      "tool_choice.function.name",
      "tool_choice.function.name 'then' is not among the tools; there are weather, now",
    ],
    [
      { tool_choice: tool("then") },
      "tool_choice.function.name",
      "tool_choice.function.name 'then' is not among the tools; there are none",
    ],
    [
      { tools: TOOLS, tool_choice: { type: "function" } },
      "tool_choice.function.name",
      "tool_choice.function.name is required",
    ],
    [
      {
        tools: TOOLS,
        tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [tool("then")] } },
      },
      "tool_choice.allowed_tools.tools[0].function.name",
      "tool_choice.allowed_tools.tools[0].function.name 'then' is not among the tools; there are weather, now",
    ],
    [
      {
        tools: TOOLS,
        tool_choice: { type: "allowed_tools", allowed_tools: { mode: "required", tools: [] } },
      },
      "tool_choice.allowed_tools.tools",
      "tool_choice.allowed_tools.tools must not be empty with mode required",
    ],
    [
      { functions: [{ name: "f" }], function_call: { name: "g" } },
      "function_call.name",
      "function_call.name 'g' is not among the tools; there are f",
    ],
    [
      { tools: TOOLS, parallel_tool_calls: "no" },
      "parallel_tool_calls",
      'parallel_tool_calls must be true or false, got "no"',
    ],
  ])("%#: a fault in them is named with its path", (fields, param, message) => {
    expect(refused(fields)).toMatchObject({ code: "invalid_request_error", status: 400, param, message })
  })

  test("may be as many and as large as a template can take", () => {
    const properties = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`property${index}`, { type: "string", description: "x" }]),
    )
    const wide = (index: number) => tool(`f${index}`, { parameters: { type: "object", properties } })
    expect(chat({ tools: Array.from({ length: 40 }, (_, index) => wide(index)) }).tools?.tools).toHaveLength(
      40,
    )
    const { maxItems, characters, depth } = BOUND
    const many = Array.from({ length: maxItems + 1 }, (_, index) => tool(`f${index}`))
    expect(refused({ tools: many }).message).toBe(
      `tools must have at most ${maxItems} entries, got ${maxItems + 1}`,
    )
    const long = Array.from({ length: 10 }, (_, index) =>
      tool(`f${index}`, { description: "x".repeat(characters / 8) }),
    )
    expect(refused({ tools: long })).toMatchObject({ status: 400, param: "tools" })
    let deep: object = {}
    for (let level = 0; level < depth; level++) deep = { properties: deep }
    expect(refused({ tools: [tool("f", { parameters: deep })] }).message).toBe(
      `tools must be nested at most ${depth} levels deep`,
    )
  })
})

const CALLED = { id: "c1", type: "function", function: { name: "add", arguments: '{"a": 1, "b"' } }
const CALL = { id: "c1", name: "add", arguments: '{"a": 1, "b"' }

describe("messages with tool calls", () => {
  test("have their arguments as the model wrote them", () => {
    expect(messagesOf({ role: "assistant", content: null, tool_calls: [CALLED] })).toEqual([
      { role: "assistant", content: "", toolCalls: [CALL] },
    ])
    const bare = { id: "c2", function: { name: "now" } }
    expect(messagesOf({ role: "assistant", tool_calls: [bare] })[0]?.toolCalls).toEqual([
      { id: "c2", name: "now", arguments: "{}" },
    ])
  })

  test("may have arguments as an object, as Ollama's clients send them", () => {
    const given = { id: "c2", function: { name: "add", arguments: { a: 1, b: ["x"] } } }
    expect(messagesOf({ role: "assistant", tool_calls: [given] })[0]?.toolCalls).toEqual([
      { id: "c2", name: "add", arguments: '{"a":1,"b":["x"]}' },
    ])
  })

  test("are followed by results, which have the id and the function of their call", () => {
    const other = { id: "c2", type: "function", function: { name: "now", arguments: "{}" } }
    const parts = [
      { type: "text", text: "12" },
      { type: "text", text: "pm" },
    ]
    expect(
      messagesOf(
        { role: "assistant", content: "So:", tool_calls: [CALLED, other] },
        { role: "tool", tool_call_id: "c2", content: parts },
        { role: "tool", tool_call_id: "c1", content: "4", name: "add" },
      ).slice(1),
    ).toEqual([
      {
        role: "tool",
        content: [
          { type: "text", text: "12" },
          { type: "text", text: "pm" },
        ],
        toolCallId: "c2",
        name: "now",
      },
      { role: "tool", content: "4", toolCallId: "c1", name: "add" },
    ])
  })

  test("are followed by results without an id in the order of the calls", () => {
    const other = { id: "c2", function: { name: "now" } }
    const [, first, second] = messagesOf(
      { role: "assistant", tool_calls: [CALLED, other] },
      { role: "tool", content: "4" },
      { role: "tool", content: "noon" },
    )
    expect([first?.toolCallId, second?.toolCallId]).toEqual(["c1", "c2"])
  })

  test("may have the older form, in which a result names its function", () => {
    const called = { name: "add", arguments: '{"a":1}' }
    const messages = messagesOf(
      { role: "assistant", content: null, function_call: called },
      { role: "function", name: "add", content: "2" },
      { role: "assistant", content: "", function_call: called },
      { role: "function", name: "add", content: "3" },
    )
    const ids = ["call00000", "call00001"]
    expect(messages).toEqual(
      ids.flatMap((id, index) => [
        { role: "assistant" as const, content: "", toolCalls: [{ id, ...called }] },
        { role: "tool" as const, content: String(index + 2), name: "add", toolCallId: id },
      ]),
    )
  })

  test.each([
    [[{ role: "assistant", tool_calls: {} }], "messages[0].tool_calls must be an array, got an object"],
    [[{ role: "assistant", tool_calls: ["x"] }], 'messages[0].tool_calls[0] must be an object, got "x"'],
    [[{ role: "assistant", tool_calls: [{}] }], "messages[0].tool_calls[0].id is required"],
    [
      [{ role: "assistant", tool_calls: [{ id: "1" }] }],
      "messages[0].tool_calls[0].function.name is required",
    ],
    [
      [{ role: "assistant", tool_calls: [{ id: "1", function: { name: "f", arguments: 5 } }] }],
      "messages[0].tool_calls[0].function.arguments must be a string, got 5",
    ],
    [
      [{ role: "user", content: "", tool_calls: [{ id: "1", function: { name: "f" } }] }],
      "messages[0].tool_calls is for role assistant only, got user",
    ],
    [
      [{ role: "user", content: "", function_call: { name: "f" } }],
      "messages[0].function_call is for role assistant only, got user",
    ],
    [[{ role: "assistant", content: "", function_call: {} }], "messages[0].function_call.name is required"],
    [
      [{ role: "tool", tool_call_id: "c1", content: "4" }],
      "messages[0].tool_call_id 'c1' is not the id of a tool call in an earlier message",
    ],
    [
      [
        { role: "assistant", tool_calls: [CALLED] },
        { role: "tool", tool_call_id: "c2", content: "4" },
      ],
      "messages[1].tool_call_id 'c2' is not the id of a tool call in an earlier message",
    ],
    [
      [{ role: "tool", content: "4" }],
      "messages[0].tool_call_id is required: no tool call before it is open",
    ],
    [
      [{ role: "function", name: "f", content: "4" }],
      "messages[0].name 'f' is not the function of a call in an earlier message",
    ],
    [[{ role: "function", content: "4" }], "messages[0].name is required for role function"],
  ])("%j have no valid calls: %s", (messages, message) => {
    expect(refused({ messages })).toMatchObject({ code: "invalid_request_error", status: 400, message })
  })
})

describe("what the assistant thought", () => {
  test("is passed on under either name", () => {
    for (const name of ["reasoning_content", "reasoning"])
      expect(messagesOf({ role: "assistant", content: "4", [name]: "2 + 2" })).toEqual([
        { role: "assistant", content: "4", reasoning: "2 + 2" },
      ])
    expect(messagesOf({ role: "assistant", content: "4", reasoning_content: "" })[0]).toEqual({
      ...{ role: "assistant", content: "4" },
    })
    expect(messagesOf({ role: "user", content: "4", reasoning: "2 + 2" })[0]).toEqual({
      ...{ role: "user", content: "4" },
    })
  })
})
