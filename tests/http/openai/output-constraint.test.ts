import { describe, expect, test } from "bun:test"
import { fakeServer } from "../../support/http"
import type { OutputConstraint } from "../../../src/domain/chat"
import { toChatCall, toCompletionCall } from "../../../src/http/openai/translate"
import { USER_HI } from "../../support/http"

const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] }
const ofSchema = { type: "schema", schema, isStrict: false } as const

function outputOf(fields: Readonly<Record<string, unknown>>): OutputConstraint | undefined {
  const chat = toChatCall({ messages: USER_HI, ...fields }, {}).request.output
  const completion = toCompletionCall({ prompt: "hi", ...fields }, {}).requests[0]?.output
  expect(completion).toEqual(chat as never)
  return chat
}

describe("what an answer must be", () => {
  test.each<[Readonly<Record<string, unknown>>, OutputConstraint | undefined]>([
    [{}, undefined],
    [{ response_format: null }, undefined],
    [{ response_format: { type: "text" } }, undefined],
    [{ response_format: { type: "json_object" } }, { type: "json" }],
    [{ response_format: { type: "json_object", schema } }, ofSchema],
    [{ response_format: { type: "json_schema", json_schema: { name: "x", schema } } }, ofSchema],
    [
      { response_format: { type: "json_schema", json_schema: { name: "x", schema, strict: true } } },
      { ...ofSchema, isStrict: true },
    ],
    [{ json_schema: schema }, ofSchema],
    [{ grammar: 'root ::= "a"' }, { type: "grammar", source: 'root ::= "a"' }],
    [{ grammar: "" }, undefined],
    [{ structured_outputs: { json: schema } }, ofSchema],
    [{ structured_outputs: { json: JSON.stringify(schema) } }, ofSchema],
    [{ structured_outputs: { regex: "[0-9]+" } }, { type: "regex", pattern: "[0-9]+" }],
    [{ structured_outputs: { choice: ["yes", "no"] } }, { type: "choice", choices: ["yes", "no"] }],
    [{ structured_outputs: { json_object: true } }, { type: "json" }],
    [{ guided_json: schema }, ofSchema],
    [{ guided_regex: "a" }, { type: "regex", pattern: "a" }],
    [{ guided_choice: ["a"] }, { type: "choice", choices: ["a"] }],
    [{ guided_grammar: 'root ::= "a"' }, { type: "grammar", source: 'root ::= "a"' }],
  ])("is read from %j", (fields, expected) => {
    expect(outputOf(fields)).toEqual(expected as never)
  })

  test.each<[Readonly<Record<string, unknown>>, string]>([
    [
      { response_format: { type: "xml" } },
      "response_format.type must be one of text, json_object, json_schema",
    ],
    [{ response_format: {} }, "response_format.type is required"],
    [{ response_format: { type: "json_schema" } }, "response_format.json_schema.schema is required"],
    [{ response_format: "json" }, "response_format must be an object"],
    [{ json_schema: 7 }, "json_schema must be a JSON schema"],
    [{ guided_json: "{" }, "guided_json must be a JSON schema"],
    [{ guided_choice: [] }, "guided_choice must be a list of texts"],
    [{ structured_outputs: { choice: [1] } }, "structured_outputs.choice must be a list of texts"],
    [{ json_schema: schema, grammar: 'root ::= "a"' }, "json_schema and grammar cannot be combined"],
    [{ json_schema: { enum: ["x".repeat(1024 ** 2)] } }, "json_schema must have at most 262144 characters"],
  ])("is refused where %j says something wrong", (fields, message) => {
    expect(() => toChatCall({ messages: USER_HI, ...fields }, {})).toThrow(message)
  })
})

test("a schema that is nested too deeply to be read is refused on every route", async () => {
  const deep = `{"const":${"[".repeat(4000)}${"]".repeat(4000)}}`
  const model = `"model":"tiny"`
  const messages = `"messages":[{"role":"user","content":"hi"}]`
  const { post } = fakeServer()
  for (const [path, fields] of [
    ["/v1/chat/completions", `"response_format":{"type":"json_schema","json_schema":{"schema":${deep}}}`],
    ["/v1/chat/completions", `"json_schema":${deep}`],
    ["/v1/chat/completions", `"guided_json":${JSON.stringify(deep)}`],
    ["/api/chat", `"format":${deep}`],
    ["/v1/messages", `"output_config":{"format":{"type":"json_schema","schema":${deep}}}`],
  ] as const) {
    const response = await post(path, JSON.parse(`{${model},${messages},${fields}}`))
    expect(response.status).toBe(400)
    expect(await response.text()).toContain("must be nested at most 192 levels deep")
  }
})
