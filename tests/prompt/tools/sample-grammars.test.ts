import { describe, expect, test } from "bun:test"
import { compileChatTemplate } from "../../../src/prompt/template"
import { type ToolSyntax, triggersOf } from "../../../src/prompt/tools/syntax"
import { hasSampleTemplates, sampleTemplate, sampleTemplateNames } from "../../support/real/sample-templates"
import { ANY, expectAgreement } from "./agreement"

function syntaxOf(name: string): ToolSyntax {
  const template = compileChatTemplate({
    source: sampleTemplate(name),
    bosToken: "<s>",
    eosToken: "</s>",
    specialTokens: [],
  })
  const { answer } = template.render({
    messages: [{ role: "user", content: "Hello" }],
    tools: ANY,
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
  })
  if (answer.tools === undefined) throw new Error("no syntax of calls was found")
  return answer.tools
}

describe.if(hasSampleTemplates())("what is learned from a sample template", () => {
  test.each(sampleTemplateNames())("is forced and read in the same way (%s)", (name) => {
    const syntax = syntaxOf(name)
    expectAgreement({ syntax, rounds: 12 })
    const triggers = triggersOf(syntax)
    for (const after of triggers) expectAgreement({ syntax, after, rounds: 6 })
    expect(triggers.length > 0 || syntax.isOpened === true).toBe(true)
  })
})
