import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { GoTemplateFault } from "../../../src/formats/go-template/fault"
import { translateGoTemplate } from "../../../src/formats/go-template/translate"
import { jinjaCapabilities, type TemplateCapability } from "../../../src/formats/template-capabilities"
import { JinjaTemplate } from "../../../src/prompt/jinja"
import { compileChatTemplate } from "../../../src/prompt/template"
import { mulberry } from "../../support/files/mulberry"
import conversations from "./conversations.json"
// What Go's own text/template makes of them; written by ./oracle.
import expected from "./expected.json"

interface Conversation {
  readonly messages: readonly object[]
  readonly tools?: readonly object[]
  readonly think?: boolean
}

/** One that says the same whatever is asked: it is no chat template. */
const DEAF = "plain"

const CONVERSATIONS: Readonly<Record<string, Conversation>> = conversations
const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = expected

async function sourceOf(name: string): Promise<string> {
  return await Bun.file(join(import.meta.dir, "templates", `${name}.gotmpl`)).text()
}

function render(jinja: string, { messages, tools, think = true }: Conversation): string {
  const variables = { messages, tools: tools ?? null, enable_thinking: think, add_generation_prompt: true }
  return new JinjaTemplate(jinja).run(new Map(Object.entries(variables)), new Date())
}

describe.each(Object.keys(EXPECTED))("%s", (name) => {
  test.each(Object.keys(CONVERSATIONS))("%s", async (title) => {
    const jinja = translateGoTemplate(await sourceOf(name))
    expect(render(jinja, CONVERSATIONS[title]!)).toBe(EXPECTED[name]?.[title] ?? "")
  })
})

test("the properties of a tool are listed by name", async () => {
  const properties = {
    zone: { type: "string" },
    City: { type: "string" },
    area: { type: ["string", "null"] },
  }
  const tools = [{ type: "function", function: { name: "f", parameters: { type: "object", properties } } }]
  const jinja = translateGoTemplate(await sourceOf("command-r-tools"))
  const text = render(jinja, { messages: [{ role: "user", content: "hi" }], tools })
  expect(text).toContain('def f(City: string, area: ["string","null"], zone: string, )')
})

test.each(Object.keys(EXPECTED).filter((name) => name !== DEAF))(
  "%s: an unfinished answer is gone on with",
  async (name) => {
    const template = compileChatTemplate({
      source: translateGoTemplate(await sourceOf(name)),
      bosToken: "",
      eosToken: "",
      specialTokens: ["<|im_start|>", "<|im_end|>", "<|eot_id|>"],
    })
    expect(template.fallback).toBeUndefined()
    const { text } = template.render({
      messages: [
        { role: "user", content: "Count to three." },
        { role: "assistant", content: "One, two," },
      ],
      templateArguments: {},
      addGenerationPrompt: false,
      continueFinalMessage: true,
    })
    expect(text).toContain("Count to three.")
    expect(text).toEndWith("One, two,")
  },
)

test("an answer that is scored and not continued ends as its template says", async () => {
  const jinja = translateGoTemplate(await sourceOf("chatml"))
  const messages = [
    { role: "user", content: "hi" },
    { role: "assistant", content: "hello" },
  ]
  const variables = new Map<string, unknown>([
    ["messages", messages],
    ["add_generation_prompt", false],
  ])
  expect(new JinjaTemplate(jinja).run(variables, new Date())).toEndWith("hello<|im_end|>\n")
})

test("dates are today's and yesterday's", () => {
  const jinja = translateGoTemplate("{{ currentDate }} {{ yesterdayDate }} {{ .Prompt }}")
  const variables = new Map<string, unknown>([["messages", [{ role: "user", content: "hi" }]]])
  expect(new JinjaTemplate(jinja).run(variables, new Date(2026, 2, 1))).toBe("2026-03-01 2026-02-28 hi")
})

test.each<[name: string, capabilities: TemplateCapability[]]>([
  ["chatml", []],
  ["llama3", []],
  ["gemma3", []],
  ["llama3.1-tools", ["tools"]],
  ["qwen2.5-tools", ["tools"]],
  ["command-r-tools", ["tools"]],
  ["qwen3-thinking", ["tools", "thinking"]],
  ["deepseek-r1", ["thinking"]],
])("what %s is written for shows in its translation", async (name, capabilities) => {
  expect(jinjaCapabilities(translateGoTemplate(await sourceOf(name)))).toEqual(capabilities)
})

test("text that looks like Jinja stays text", () => {
  const jinja = translateGoTemplate("{% if x %} {# no #} {{ `{{ x }}` }} -%}\n{{ .Prompt }}")
  expect(render(jinja, { messages: [{ role: "user", content: "{{ bos }}" }] })).toBe(
    "{% if x %} {# no #} {{ x }} -%}\n{{ bos }}",
  )
})

test.each<[source: string, line: number, words: string]>([
  ["{{ .System }", 1, 'unexpected "}" in an action'],
  ["{{ .System", 1, "'{{' is never closed by '}}'"],
  ["a\n\n{{ if .System }}b", 3, "a block is never closed by {{end}}"],
  ["{{ end }}", 1, "unexpected {{end}}"],
  ["{{ if .System }}{{ else }}{{ else }}{{ end }}", 1, "unexpected {{else}}"],
  ["x\n{{ .Sytem }}", 2, "unknown field '.Sytem'; there are .Suffix, .Tools"],
  ["{{ range .Messages }}\n{{ .Foo }}{{ end }}", 2, "unknown field '.Foo'; there are .Role, .Content"],
  ["{{ .System.Name }}", 1, "unknown field '.Name'"],
  ["{{ trim .System }}", 1, "unknown function 'trim'"],
  ["{{ toTypeScriptType .System }}", 1, "unknown function 'toTypeScriptType'"],
  ["{{ $x }}", 1, "the variable $x is not declared"],
  ["{{ if .System }}{{ $x := 1 }}{{ end }}\n{{ $x }}", 2, "the variable $x is not declared"],
  ["{{ range .System }}{{ end }}", 1, "'range' needs a list or a map"],
  ['{{ template "x" }}', 1, 'no template is defined as "x"'],
  ['{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" . }}', 1, "contains itself"],
  ["{{ break }}", 1, "{{break}} outside of {{range}}"],
  ["{{ . }}", 1, "the whole data ('.')"],
  ["{{ eq .System }}", 1, "'eq' needs two values"],
  ['{{ printf "%05d" 1 }}', 1, "'printf'"],
  ['{{ "\\q" }}', 1, "unknown escape"],
  ["{{ (.System }}", 1, "'(' is never closed by ')'"],
  ["{{ .System ) }}", 1, "unexpected ')'"],
  ["{{ .System .Prompt }}", 1, "arguments are given to something that is not a function"],
  ["{{ ".repeat(3) + "(".repeat(500), 1, ""],
  ["{{ if .System }}".repeat(500), 1, "too many blocks in blocks"],
])("%j is refused at line %d: %s", (source, line, words) => {
  let fault: unknown
  try {
    translateGoTemplate(source)
  } catch (error) {
    fault = error
  }
  expect(fault).toBeInstanceOf(GoTemplateFault)
  expect((fault as GoTemplateFault).line).toBe(line)
  expect((fault as GoTemplateFault).message).toContain(words)
})

test.each(["some text", ""])("templates that double at each level are refused: %j", (text) => {
  const doubled = Array.from({ length: 60 }, (_, index) => {
    const inner = `{{ template "t${index + 1}" . }}`
    return `{{ define "t${index}" }}${inner}${inner}{{ end }}`
  })
  const source = `${doubled.join("")}{{ define "t60" }}${text}{{ end }}{{ template "t0" . }}`
  expect(() => translateGoTemplate(source)).toThrow("too large once it is expanded")
})

test("a thousand damaged templates are translated or refused, and what is translated runs", async () => {
  const names = Object.keys(EXPECTED)
  const random = mulberry(7)
  const pick = (count: number): number => Math.floor(random() * count)
  const pieces = [
    "{{",
    "}}",
    "{{ end }}",
    "{{ else }}",
    "(",
    ")",
    "|",
    "$",
    ".",
    '"',
    "`",
    "-",
    " ",
    "{%",
    "\n",
  ]
  let translated = 0
  for (let round = 0; round < 1000; round++) {
    let source = await sourceOf(names[round % names.length] ?? "")
    const at = pick(source.length)
    source = source.slice(0, at) + (pieces[pick(pieces.length)] ?? "") + source.slice(at + pick(4))
    try {
      const jinja = translateGoTemplate(source)
      translated++
      new JinjaTemplate(jinja)
    } catch (error) {
      expect(error).toBeInstanceOf(GoTemplateFault)
    }
  }
  expect(translated).toBeGreaterThan(300)
  expect(translated).toBeLessThan(1000)
})

test("a template of very many actions is refused before it takes a server's time", () => {
  for (const source of ["{{ .Prompt }}".repeat(20_000), `{{ print${" .Prompt".repeat(20_000)} }}`])
    expect(() => translateGoTemplate(source)).toThrow("the template has more than 16384 words and actions")
})
