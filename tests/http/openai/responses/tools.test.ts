import { describe, expect, test } from "bun:test"
import type { ChatRequest, GenerationEvent } from "../../../../src/domain/chat"
import { compileSchema } from "../../../../src/grammar/schema/compile"
import { done } from "../../../support/fakes/fake-engine"
import { matches } from "../../../support/grammar-match"
import { errorOf, fakeServer, type Json, jsonOf } from "../../../support/http"

const CALL = { model: "tiny", input: "Hi" }

/** Calls functions by the names that the model has for them. */
function calling(...calls: readonly (readonly [name: string, text: string])[]) {
  return async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 5 }
    for (const [index, [name, text]] of calls.entries()) {
      yield { type: "part-start", choice: 0, part: "tool-call", id: `call_${index}`, name }
      yield { type: "delta", choice: 0, part: "tool-call", text, tokens: 1 }
      yield { type: "part-end", choice: 0, part: "tool-call" }
    }
    yield { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 1 }
    yield done(1)
  }
}

async function chatOf(body: object): Promise<{ readonly chat: ChatRequest; readonly response: Json }> {
  const { post, engine } = fakeServer(calling())
  const response = await jsonOf(post("/v1/responses", { ...CALL, ...body }))
  expect(response["error"]).toBeNull()
  const request = engine.lastRequest
  if (request.kind !== "chat") throw new Error("not a chat")
  return { chat: request, response }
}

const grammar = (syntax: string, definition: string) => ({
  ...{ type: "custom", name: "patch", description: "d" },
  format: { type: "grammar", syntax, definition },
})

describe("a custom tool", () => {
  test.each([
    ["regex", "[a-z]+-\\d", ["ab-1"], ["ab", "ab-1x"]],
    ["regex", "^a|b$", ["a", "b"], ["ab"]],
    ["lark", 'start: "<" /[^>]*/ ">" LF\n%import common.LF', ['<a "b">\n'], ["<a>", "<<a>>\n"]],
  ])("is held to its grammar in %s", async (syntax, definition, good, bad) => {
    const { chat, response } = await chatOf({ tools: [grammar(syntax, definition)] })
    expect(response["warnings"]).toBeUndefined()
    const compiled = compileSchema(chat.tools?.tools[0]?.parameters)
    expect(compiled.unenforced).toEqual([])
    const allows = (input: string) => matches(compiled.grammar, JSON.stringify({ input }))
    expect([good.map(allows), bad.map(allows)]).toEqual([good.map(() => true), bad.map(() => false)])
  })

  test.each([
    ["regex", "(?P<name>a)"],
    ["lark", 'start: "(" start ")" | "x"'],
    ["lark", "no grammar"],
  ])("whose grammar in %s cannot be had takes any text, which is said", async (syntax, definition) => {
    const { chat, response } = await chatOf({ tools: [grammar(syntax, definition)] })
    expect(chat.tools?.tools[0]?.parameters).toEqual({
      ...{ type: "object", properties: { input: { type: "string" } }, required: ["input"] },
    })
    expect(response["warnings"]).toEqual([
      expect.stringContaining("the grammar of tool 'patch' is not enforced: "),
    ])
  })
})

const NAMESPACE = {
  ...{ type: "namespace", name: "crm", description: "Customers" },
  tools: [
    { type: "function", name: "find", parameters: { type: "object" } },
    { type: "custom", name: "note" },
    { type: "web_search" },
  ],
}

describe("a namespace", () => {
  test("has functions that are called by their own names", async () => {
    const { post, engine } = fakeServer(calling(["crm__find", '{"id":1}'], ["crm__note", '{"input":"n"}']))
    const response = await jsonOf(post("/v1/responses", { ...CALL, tools: [NAMESPACE] }))
    expect(response["output"]).toMatchObject([
      { type: "function_call", namespace: "crm", name: "find", arguments: '{"id":1}', call_id: "call_0" },
      { type: "custom_tool_call", namespace: "crm", name: "note", input: "n", call_id: "call_1" },
    ])
    const input = [
      { role: "user", content: "Hi" },
      ...(response["output"] as readonly object[]),
      { type: "function_call_output", call_id: "call_0", output: "found" },
      { type: "custom_tool_call_output", call_id: "call_1", output: [{ type: "input_text", text: "noted" }] },
    ]
    await post("/v1/responses", {
      ...CALL,
      input,
      tools: [NAMESPACE],
      tool_choice: { type: "function", name: "find" },
    })
    expect(engine.lastRequest).toMatchObject({
      tools: { callable: ["crm__find"] },
      messages: [
        { role: "user" },
        { role: "assistant", toolCalls: [{ name: "crm__find" }, { name: "crm__note" }] },
        { role: "tool", name: "crm__find" },
        { role: "tool", name: "crm__note" },
      ],
    })
  })

  test("with a long name has functions whose names differ", async () => {
    const long = (name: string) => ({
      ...{ type: "namespace", name: `${name}_${"x".repeat(80)}`, description: "" },
      tools: [{ type: "function", name: "find" }],
    })
    const { chat } = await chatOf({ tools: [long("a"), long("b")] })
    const names = chat.tools?.tools.map(({ name }) => name) ?? []
    expect(new Set(names).size).toBe(2)
    expect(Math.max(...names.map(({ length }) => length))).toBeLessThanOrEqual(64)
  })
})

test("a local shell is a function, and its calls and their outputs are read back", async () => {
  const action = { command: ["ls", "-l"], working_directory: "/tmp", timeout_ms: 50 }
  const { post, engine } = fakeServer(calling(["local_shell", JSON.stringify(action)]))
  const tools = [{ type: "local_shell" }]
  const response = await jsonOf(post("/v1/responses", { ...CALL, tools, tool_choice: tools[0] }))
  const [call] = response["output"] as readonly Json[]
  expect(call).toMatchObject({
    ...{ type: "local_shell_call", status: "completed", call_id: "call_0" },
    action: { type: "exec", env: {}, ...action },
  })
  expect(engine.lastRequest).toMatchObject({ tools: { choice: "required", callable: ["local_shell"] } })
  for (const reference of [{ id: call?.["id"] }, { id: "call_0" }, { call_id: "call_0" }]) {
    const output = { type: "local_shell_call_output", ...reference, output: '{"stdout":"a"}' }
    await post("/v1/responses", { ...CALL, tools, input: [{ role: "user", content: "ls" }, call, output] })
    expect(engine.lastRequest).toMatchObject({
      messages: [
        { role: "user" },
        { role: "assistant", toolCalls: [{ name: "local_shell", arguments: JSON.stringify(action) }] },
        { role: "tool", toolCallId: "call_0", content: [{ text: '{"stdout":"a"}' }] },
      ],
    })
  }
})

const HOSTED = [
  { type: "web_search" },
  { type: "code_interpreter", container: { type: "auto" } },
  { type: "computer_use_preview", display_width: 1, display_height: 1, environment: "linux" },
  { type: "mcp", server_label: "s", server_url: "https://example.com" },
  { type: "image_generation" },
]

describe("tools that only the service can run", () => {
  test("are left out, which the response and the log say", async () => {
    const { post, engine, logged } = fakeServer(calling())
    const response = await jsonOf(post("/v1/responses", { ...CALL, tools: HOSTED }))
    expect(response["warnings"]).toEqual([
      "tools that cannot be run or read here were left out: " + HOSTED.map(({ type }) => type).join(", "),
    ])
    expect(logged.some((line) => line.includes("left out") && line.includes("image_generation"))).toBe(true)
    expect(engine.lastRequest).not.toHaveProperty("tools")
  })

  test.each(HOSTED)("are refused where one must be called: %j", async (tool) => {
    const { post } = fakeServer(calling())
    const error = await errorOf(post("/v1/responses", { ...CALL, tools: [tool], tool_choice: tool }))
    expect(error).toMatchObject({ status: 400, code: "unsupported", param: "tool_choice" })
  })

  test("leave items that say nothing here, and are left out too", async () => {
    const input = [
      { type: "web_search_call", id: "ws_1", status: "completed", action: {} },
      { type: "compaction", encrypted_content: "x" },
      { role: "user", content: "Hi" },
    ]
    const { chat, response } = await chatOf({ input })
    expect(chat.messages).toHaveLength(1)
    expect(response["warnings"]).toEqual([
      "items of the conversation that cannot be run or read here were left out: web_search_call, compaction",
    ])
  })
})

test("tools that come with the conversation are tools like others", async () => {
  const find = { type: "function", name: "find" }
  const { chat } = await chatOf({
    tools: [{ type: "function", name: "other" }],
    input: [
      { role: "user", content: "Hi" },
      { type: "additional_tools", role: "developer", tools: [find] },
    ],
  })
  expect(chat.tools?.tools.map(({ name }) => name)).toEqual(["other", "find"])
})

describe("thinking", () => {
  async function* thinking(): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 5 }
    yield { type: "part-start", choice: 0, part: "reasoning" }
    yield { type: "delta", choice: 0, part: "reasoning", text: "Hm, ä.", tokens: 1 }
    yield { type: "part-end", choice: 0, part: "reasoning" }
    yield { type: "finish", choice: 0, reason: "stop", completionTokens: 1 }
    yield done(1)
  }

  test("comes as a summary where one is asked for, and in a form that is taken back", async () => {
    const { post, engine } = fakeServer(thinking)
    const include = ["reasoning.encrypted_content"]
    const body = { ...CALL, include, reasoning: { effort: "low", summary: "auto" } }
    const { output } = await jsonOf(post("/v1/responses", body))
    const [item] = output as readonly Json[]
    expect(item).toMatchObject({ type: "reasoning", summary: [{ type: "summary_text", text: "Hm, ä." }] })
    expect(item).not.toHaveProperty("content")
    const { encrypted_content } = item ?? {}
    const input = [
      { role: "user", content: "Hi" },
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content },
      { type: "reasoning", id: "rs_2", summary: [], encrypted_content: "gAAAAA of another service" },
      { role: "assistant", content: "Yes." },
      { role: "user", content: "Why?" },
    ]
    await post("/v1/responses", { ...CALL, input })
    expect(engine.lastRequest).toMatchObject({
      messages: [{ role: "user" }, { role: "assistant", reasoning: "Hm, ä." }, { role: "user" }],
    })
  })
})
