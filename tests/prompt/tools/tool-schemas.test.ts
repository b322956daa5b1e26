import { describe, expect, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import type { Tool, ToolUse } from "../../../src/domain/tools"
import { InvalidRequest } from "../../../src/errors/request"
import { parseGbnf } from "../../../src/grammar/gbnf/parse"
import { toGbnf } from "../../../src/grammar/print"
import { NativeGrammar } from "../../../src/llama/grammar"
import { Library } from "../../../src/llama/library"
import { Model } from "../../../src/llama/model"
import { locateLlama } from "../../../src/native/llama-files"
import { toolGrammar } from "../../../src/prompt/tools/tool-grammar"
import { matches } from "../../support/grammar-match"
import { hasRealModel, REAL_MODEL_PATH } from "../../support/real/real-model"
import { EXACT_SETTINGS } from "../../support/real/real-worker"
import { FAMILIES, type Family, TOOLS } from "./families"

function family(name: string): Family {
  const found = FAMILIES.find((each) => each.name === name)
  if (found === undefined) throw new Error(`there is no family ${name}`)
  return found
}

function use(parameters: Readonly<Record<string, unknown>>, isStrict: boolean): ToolUse {
  return {
    tools: [TOOLS[0], TOOLS[1], { name: "checked", isStrict, parameters }],
    choice: "required",
    isParallel: true,
  }
}

function failureOf(run: () => unknown): InvalidRequest {
  try {
    run()
  } catch (error) {
    if (error instanceof InvalidRequest) return error
    throw error
  }
  throw new Error("it did not fail")
}

describe("a tool's schema", () => {
  const { syntax } = family("Hermes")
  const unenforceable = {
    type: "object",
    properties: { list: { type: "array", items: { type: "string" }, uniqueItems: true } },
  }

  test("that cannot be enforced is refused for a strict tool, with its place", () => {
    const error = failureOf(() => toolGrammar({ syntax, use: use(unenforceable, true) }))
    expect(error.param).toBe("tools[2].function.parameters.properties.list.uniqueItems")
    expect(error.message).toBe(
      "the parameters of the strict tool 'checked' cannot be kept: #/properties/list/uniqueItems: it cannot be enforced while text is generated",
    )
  })

  test("that cannot be enforced is reported otherwise", () => {
    expect(toolGrammar({ syntax, use: use(unenforceable, false) }).warnings).toEqual([
      "not enforced in tool 'checked': #/properties/list/uniqueItems: it cannot be enforced while text is generated",
    ])
    expect(toolGrammar({ syntax, use: use({ type: "object", properties: {} }, false) }).warnings).toEqual([])
  })

  test.each([
    [{ type: "string" }, 'the JSON schema at #/type must be "object", got "string"'],
    [{ type: ["string", "null"] }, "the JSON schema at # allows no value at all"],
    [{ type: "object", properties: { a: { $ref: "#/none" } } }, "refers to '#/none', which does not exist"],
    [{ type: "object", required: ["a"], properties: { a: false } }, "allows no value at all"],
  ])("that no object can satisfy is refused, strict or not: %j", (parameters, message) => {
    const error = failureOf(() => toolGrammar({ syntax, use: use(parameters, false) }))
    expect(error.param).toBe("tools[2].function.parameters")
    expect(error.message).toStartWith("in the parameters of tool 'checked', ")
    expect(error.message).toContain(message)
  })

  test("has no properties that no value can have", () => {
    const parameters = { type: "object", properties: { a: { type: "integer" }, never: false } }
    const source = toGbnf(toolGrammar({ syntax, use: use(parameters, false) }).grammar)
    expect(source).not.toContain("never")
  })

  test("of a tool that may not be called is not looked at", () => {
    const tools = use({ type: "text" }, true)
    expect(toolGrammar({ syntax, use: { ...tools, callable: ["now"] } }).warnings).toEqual([])
  })
})

describe("a raw text", () => {
  const { syntax } = family("Qwen3-Coder")
  const call = (text: string): string =>
    `<tool_call>\n<function=checked>\n<parameter=a>\n${text}\n</parameter>\n</function>\n</tool_call>`
  const allows = (schema: unknown, text: string): boolean => {
    const { grammar } = toolGrammar({
      syntax,
      use: use({ properties: { a: schema }, required: ["a"] }, true),
    })
    return matches(parseGbnf(toGbnf(grammar)), call(text))
  }

  test("is anything but the marker that ends it", () => {
    const text = { type: "string" }
    for (const each of ["", "a", "</parameter>", '<b>\n"', "\n", "\n\n", "\n</parameter", "é😀"])
      expect([each, allows(text, each)]).toEqual([each, true])
    for (const each of ["a\n</parameter>", "\n</parameter>\n<b>"])
      expect([each, allows(text, each)]).toEqual([each, false])
  })

  test("has the length and the form that the schema wants", () => {
    expect(allows({ type: "string", maxLength: 3 }, "a\nb")).toBe(true)
    expect(allows({ type: "string", maxLength: 3 }, "abcd")).toBe(false)
    expect(allows({ type: "string", pattern: "^a+$" }, "aa")).toBe(true)
    expect(allows({ type: "string", pattern: "^a+$" }, "ab")).toBe(false)
    expect(allows({ enum: ["x", "y"] }, "x")).toBe(true)
    expect(allows({ enum: ["x", "y"] }, '"x"')).toBe(false)
  })

  test("can be a value of another type, where the schema allows both", () => {
    const either = { anyOf: [{ type: "integer" }, { type: "null" }] }
    for (const each of ["12", "null"]) expect([each, allows(either, each)]).toEqual([each, true])
    expect(allows(either, "a")).toBe(false)
    expect(allows({ type: ["boolean", "string"] }, "a")).toBe(true)
  })
})

describe("text and calls", () => {
  test("are both answers where the prompt has begun either", () => {
    const { syntax } = family("Functionary 3.2")
    const tools: ToolUse = { tools: TOOLS, choice: "auto", isParallel: true }
    const { grammar } = toolGrammar({ syntax, use: tools, allowsText: true })
    for (const text of ["all\nHello", "now\n{}", 'all\nLet me see.>>>now\n{}>>>weather\n{"city": "Oslo"}'])
      expect([text, matches(grammar, text)]).toEqual([text, true])
    for (const text of ["Hello", "all\nHello>>>", "later\n{}", "now\n{}all\nx"])
      expect([text, matches(grammar, text)]).toEqual([text, false])
  })
})

describe.if(hasRealModel())("40 tools of 200 properties each", () => {
  const KINDS: readonly unknown[] = [
    { type: "string" },
    { type: "integer" },
    { type: "array", items: { type: "string" } },
    { anyOf: [{ type: "string" }, { type: "null" }] },
    { type: "number", minimum: 0 },
  ]

  function manyTools(): readonly Tool[] {
    return Array.from({ length: 40 }, (_, tool) => ({
      name: `tool_${tool}`,
      isStrict: true,
      parameters: {
        type: "object",
        properties: Object.fromEntries(
          Array.from({ length: 200 }, (_each, number) => [
            `property_${number}_of_${tool}`,
            number % 6 === 5 ? { enum: [`value ${tool} ${number}`] } : KINDS[number % 6],
          ]),
        ),
        required: [`property_0_of_${tool}`],
      },
    }))
  }

  test.each(["Hermes", "Qwen3-Coder", "Gemma 4", "LFM2", "JSON in a string"])(
    "are a grammar that llama.cpp takes (%s)",
    async (name) => {
      const log = openSync("/dev/null", "w")
      const library = Library.open(await locateLlama("/nonexistent"), {
        useGpu: false,
        logDescriptor: log,
        logLevel: 4,
      })
      using model = Model.load(library, REAL_MODEL_PATH, EXACT_SETTINGS)
      if (model === undefined) throw new Error("llama.cpp refused the model")
      const { grammar } = toolGrammar({
        syntax: family(name).syntax,
        use: { tools: manyTools(), choice: "required", isParallel: true },
      })
      // Two rules for each property, and few others: what all have is written once.
      expect(grammar.rules.size).toBeLessThan(40 * 200 * 2.5)
      using native = NativeGrammar.compile(library, model.vocabulary.share(), toGbnf(grammar))
      expect(native).toBeDefined()
      closeSync(log)
    },
    60_000,
  )
})
