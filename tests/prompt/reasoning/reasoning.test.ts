import { describe, expect, test } from "bun:test"
import type { ChatMessage, ReasoningOptions } from "../../../src/domain/chat"
import { compileChatTemplate, type RenderedChat, type RenderRequest } from "../../../src/prompt/template"

const USER: ChatMessage = { role: "user", content: "Hi" }
const CONTROLS = ["<|im_start|>", "<|im_end|>", "<ponder>", "</ponder>", "<think>", "</think>"]

/** A template in the form of ChatML. */
function chatml(answer: string, opening = ""): string {
  return (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n" +
    `{% if m.role == 'assistant' %}${answer}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}` +
    `{% if add_generation_prompt %}<|im_start|>assistant\n${opening}{% endif %}`
  )
}

const THOUGHTS =
  "{% if m.reasoning_content %}<ponder>\n{{ m.reasoning_content }}\n</ponder>\n\n{% endif %}{{ m.content }}"
const SWITCH = "{% if enable_thinking is false %}<ponder>\n\n</ponder>\n\n{% else %}<ponder>\n{% endif %}"

function render(source: string, options: Partial<RenderRequest> = {}): RenderedChat {
  const template = compileChatTemplate({
    source,
    bosToken: "",
    eosToken: "<|im_end|>",
    specialTokens: CONTROLS,
  })
  return template.render({
    messages: [USER],
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
    ...options,
  })
}

/** The text after the user's message and the opening of the answer. */
function opened(source: string, reasoning?: ReasoningOptions, options: Partial<RenderRequest> = {}): string {
  const { text } = render(source, { ...options, ...(reasoning !== undefined && { reasoning }) })
  return text.slice(text.lastIndexOf("<|im_start|>assistant\n") + "<|im_start|>assistant\n".length)
}

describe("the markers of thinking", () => {
  test("are learned from what the template shows of an answer with a thought", () => {
    expect(render(chatml(THOUGHTS)).answer.reasoning).toEqual({
      start: "<ponder>",
      end: "</ponder>",
      isOpen: false,
    })
  })

  test("are not there where the template has none", () => {
    expect(render(chatml("{{ m.content }}")).answer).toEqual({})
    // A thought without markers cannot be told from the answer.
    expect(render(chatml("{{ m.reasoning_content }} {{ m.content }}")).answer).toEqual({})
  })

  test("are learned where only answers with calls show the thought", () => {
    const source = chatml(
      "{% if m.tool_calls %}<ponder>{{ m.reasoning_content }}</ponder>{{ m.tool_calls[0].function | tojson }}" +
        "{% else %}{{ m.content }}{% endif %}",
    )
    expect(render(source).answer.reasoning).toMatchObject({ start: "<ponder>", end: "</ponder>" })
  })

  test.each([
    ["drops the thoughts of earlier answers", "{{ m.content.split('</think>')[-1] }}", "", false],
    ["opens the thinking only", "{{ m.content }}", "<think>\n", true],
  ])("are the published ones where the template %s", (_, answer, opening, isOpen) => {
    expect(render(chatml(answer, opening)).answer.reasoning).toEqual({
      start: "<think>",
      end: "</think>",
      isOpen,
    })
  })
})

describe("an answer begins within the thinking", () => {
  test("where the prompt opens it", () => {
    const source = chatml(THOUGHTS, SWITCH)
    expect(render(source).answer.reasoning?.isOpen).toBe(true)
    expect(render(source, { reasoning: { isEnabled: true } }).answer.reasoning?.isOpen).toBe(true)
    expect(render(source, { reasoning: { isEnabled: false } }).answer.reasoning?.isOpen).toBe(false)
    const closed = render(source, { templateArguments: { enable_thinking: false } })
    expect(closed.answer.reasoning?.isOpen).toBe(false)
    expect(render(source, { addGenerationPrompt: false }).answer.reasoning?.isOpen).toBe(false)
  })

  test("where it continues a thought", () => {
    const source = chatml("{{ m.content }}{# </think> #}{{ '</think>' if false }}")
    const continued = (content: string) =>
      render(source, {
        messages: [USER, { role: "assistant", content }],
        continueFinalMessage: true,
      }).answer.reasoning?.isOpen
    expect(continued("<think>Hm")).toBe(true)
    expect(continued("<think>Hm</think>Well")).toBe(false)
    expect(continued("Well")).toBe(false)
  })
})

describe("how much a model thinks", () => {
  test("is the template's own where the request says nothing", () => {
    expect(opened(chatml(THOUGHTS, SWITCH))).toBe("<ponder>\n")
    expect(opened(chatml(THOUGHTS, SWITCH), {})).toBe("<ponder>\n")
  })

  test.each([
    ["its own switch", { isEnabled: false }],
    ["the effort none", { effort: "none" }],
    ["a budget of no tokens", { budgetTokens: 0 }],
  ] as const)("can be nothing, by %s", (_, reasoning) => {
    expect(opened(chatml(THOUGHTS, SWITCH), reasoning)).toBe("<ponder>\n\n</ponder>\n\n")
  })

  test("can be nothing even if the template has no switch: the thinking is closed at once", () => {
    expect(opened(chatml(THOUGHTS, "<ponder>\n"), { isEnabled: false })).toBe("<ponder>\n\n</ponder>\n\n")
    expect(opened(chatml(THOUGHTS), { isEnabled: false })).toBe("<ponder>\n\n</ponder>\n\n")
    const { pieces, answer } = render(chatml(THOUGHTS), { reasoning: { isEnabled: false } })
    expect(pieces.every(({ special }) => special)).toBe(true)
    expect(answer.reasoning?.isOpen).toBe(false)
  })

  test.each([
    ["thinking", "{% if thinking is defined and thinking == false %}</ponder>{% else %}<ponder>{% endif %}"],
    [
      "reasoning_effort",
      "{% if reasoning_effort is defined and reasoning_effort == 'none' %}</ponder>{% else %}<ponder>{% endif %}",
    ],
    [
      "thinking_mode",
      "{% if thinking_mode is defined and thinking_mode == 'disabled' %}</ponder>{% else %}<ponder>{% endif %}",
    ],
  ])("is switched by the variable %s where the template has that", (_, opening) => {
    expect(opened(chatml(THOUGHTS, opening))).toBe("<ponder>")
    expect(opened(chatml(THOUGHTS, opening), { isEnabled: false })).toBe("</ponder>")
  })

  test("is an effort that the template accepts", () => {
    const effort = "[{{ reasoning_effort if reasoning_effort is defined else 'default' }}]"
    expect(opened(chatml(THOUGHTS, effort))).toBe("[default]")
    expect(opened(chatml(THOUGHTS, effort), { effort: "xhigh" })).toBe("[xhigh]")
    const picky =
      "{% if reasoning_effort is defined and reasoning_effort not in ['low', 'high'] %}{{ raise_exception('low or high') }}{% endif %}" +
      effort
    const of = (name: string): string => opened(chatml(THOUGHTS, picky), { effort: name })
    expect(["minimal", "low", "high", "max"].map(of)).toEqual(["[low]", "[low]", "[high]", "[high]"])
  })

  test("is what the client gives to the template itself, before all else", () => {
    const given = { templateArguments: { enable_thinking: true } }
    expect(opened(chatml(THOUGHTS, SWITCH), { effort: "low" }, given)).toBe("<ponder>\n")
  })
})

describe("earlier thoughts", () => {
  const messages: ChatMessage[] = [
    USER,
    { role: "assistant", content: "Hello", reasoning: "A greeting.<|im_end|>" },
    USER,
  ]

  test.each(["reasoning_content", "reasoning", "thinking"])("are given to templates as %s", (field) => {
    const source = chatml(
      `{% if m.${field} is defined %}<ponder>{{ m.${field} }}</ponder>{% endif %}{{ m.content }}`,
    )
    const rendered = render(source, { messages })
    expect(rendered.text).toContain("<ponder>A greeting.<|im_end|></ponder>Hello<|im_end|>")
    expect(rendered.pieces.filter(({ special }) => !special)).toEqual([
      { text: "<|im_end|>", special: false },
    ])
  })

  test("are left out by others", () => {
    expect(render(chatml("{{ m.content }}"), { messages }).text).not.toContain("greeting")
  })
})

test("markers around the text of an answer are learned too", () => {
  const source = chatml(
    "{% if m.reasoning_content %}<ponder>{{ m.reasoning_content }}</ponder>{% endif %}<|say|>{{ m.content }}<|said|>",
  )
  expect(render(source).answer).toEqual({
    reasoning: { start: "<ponder>", end: "</ponder>", isOpen: false },
    text: { start: "<|say|>", end: "<|said|>" },
  })
  expect(render(chatml("<|say|>{{ m.content }}<|said|>", "<|say|>")).answer.text).toBeUndefined()
})
