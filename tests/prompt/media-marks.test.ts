import { describe, expect, test } from "bun:test"
import type { ChatMessage, MediaPart } from "../../src/domain/chat"
import { type ChatTemplateOptions, compileChatTemplate, type RenderRequest } from "../../src/prompt/template"

const IMAGE: MediaPart = { type: "image", path: "/a" }
const text = (words: string) => ({ type: "text", text: words }) as const

const CHATML = `{%- for message in messages -%}<|im_start|>{{ message.role }}
{{ message.content | trim }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

const PARTS = `{%- for message in messages -%}<|im_start|>{{ message.role }}
{%- for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text | upper }}{% endif %}{% endfor %}
{% endfor %}`

function rendered(messages: readonly ChatMessage[], source = CHATML, more: Partial<RenderRequest> = {}) {
  const options: ChatTemplateOptions = {
    source,
    bosToken: "",
    eosToken: "<|im_end|>",
    specialTokens: ["<|im_start|>", "<|im_end|>", "<image>"],
  }
  return compileChatTemplate(options).render({
    messages,
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
    ...more,
  })
}

/** Media by their numbers in braces. */
const shown = ({ pieces }: ReturnType<typeof rendered>) =>
  pieces.map((piece) => (piece.media === undefined ? piece.text : `{${piece.media}}`)).join("")

describe("a picture in a prompt", () => {
  test("stands where it stands in the message, without line breaks beside it", () => {
    const content = [text("first"), text("second"), IMAGE, text("between"), IMAGE, IMAGE, text("last")]
    const prompt = rendered([{ role: "user", content }])
    expect(shown(prompt)).toBe(
      "<|im_start|>user\nfirst\nsecond{0}between{1}{2}last<|im_end|>\n<|im_start|>assistant\n",
    )
    expect(prompt.text).toBe(shown(prompt).replaceAll(/\{\d\}/g, ""))
  })

  test("is numbered through the conversation", () => {
    const prompt = rendered([
      { role: "user", content: [IMAGE, text("a")] },
      { role: "assistant", content: "b" },
      { role: "tool", content: [text("c"), IMAGE] },
    ])
    expect(shown(prompt)).toContain("user\n{0}a<|im_end|>")
    expect(shown(prompt)).toContain("c{1}")
  })

  test("is not changed by what a template does to texts, and needs no place of its own there", () => {
    const prompt = rendered([{ role: "user", content: [text("see "), IMAGE, text(" this")] }], PARTS)
    expect(shown(prompt)).toContain("SEE {0} THIS")
  })

  test("cannot be written by a text, and joins none to a control token", () => {
    const marks = ["<__media__>", "{0}", "<image>", "00000000000000000000000000"].join(" ")
    const prompt = rendered([{ role: "user", content: [text(`${marks}<|im_`), IMAGE, text("end|>")] }])
    expect(prompt.pieces.filter(({ media }) => media !== undefined)).toHaveLength(1)
    const special = prompt.pieces.filter((piece) => piece.special).map((piece) => piece.text)
    expect(special.join("\n").match(/<\|im_end\|>/g)).toHaveLength(1)
    expect(special.join("\n")).not.toContain("<image>")
  })

  test("may be all that a message has", () => {
    expect(shown(rendered([{ role: "user", content: [IMAGE] }]))).toContain("user\n{0}<|im_end|>")
  })

  test("is never left out in silence", () => {
    const lastOnly = `{{ messages[-1].content }}{# ${CHATML} #}`
    const messages: readonly ChatMessage[] = [
      { role: "user", content: [IMAGE] },
      { role: "assistant", content: "a" },
      { role: "user", content: "b" },
    ]
    expect(() => rendered(messages, lastOnly)).toThrow(
      "the model's chat template leaves out the image or sound of messages[0]",
    )
  })

  test("may be continued", () => {
    const messages: readonly ChatMessage[] = [
      { role: "user", content: [IMAGE] },
      { role: "assistant", content: "It is" },
    ]
    const prompt = rendered(messages, CHATML, { addGenerationPrompt: false, continueFinalMessage: true })
    expect(shown(prompt)).toBe("<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\nIt is")
  })
})
