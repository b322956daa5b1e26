import { expect, test } from "bun:test"
import { jinjaCapabilities } from "../../src/formats/template-capabilities"

test.each([
  ["{{ messages[0].content }}", []],
  ["{% if tools %}{{ tools | tojson }}{% endif %}", ["tools"]],
  ["{%- set tools_in_user_message = true %}", []],
  ["{%- if builtin_tools is defined %}{% endif %}", []],
  ["You may use tools: {{ content }}", []],
  ["{{ 'You have tools' }}{{ \"tools\" }}", []],
  ["{# tools, thinking #}{{ content }}", []],
  ["{% for tool in tools or [] %}{% endfor %}", ["tools"]],
  ["{% if message.tool_calls %}{% endif %}", ["tools"]],
  ["{{ functions }}", ["tools"]],
  ["{%- if enable_thinking is defined and enable_thinking is false %}{% endif %}", ["thinking"]],
  ["{% if message.reasoning_content is string %}{% endif %}", ["thinking"]],
  ["{% if message['thinking'] %}{% endif %}", ["thinking"]],
  ["{{ '<|assistant|><think>\\n' }}", ["thinking"]],
  ["{% set content = content.split('</think>')[-1] %}", ["thinking"]],
  ["<|channel|>analysis<|message|>", ["thinking"]],
  ["{{ 'thinking of you' }}", []],
  ["{{ 'it\\'s tools' }}{{ x }}", []],
  ["{% if tools %}{% if enable_thinking %}{% endif %}{% endif %}", ["tools", "thinking"]],
  ["{% broken {{ tools", []],
  ["", []],
] as const)("%j is written for %j", (template, capabilities) => {
  expect(jinjaCapabilities(template)).toEqual([...capabilities])
})

test("a long template costs no time", () => {
  const template = `{% if a %}${"{{ '".repeat(20_000)}${"[".repeat(20_000)}'${"\\".repeat(20_000)}`
  expect(jinjaCapabilities(template)).toEqual([])
})
