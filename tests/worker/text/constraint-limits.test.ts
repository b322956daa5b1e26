import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { OutputConstraint } from "../../../src/domain/chat"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker } from "../../support/real/real-worker"
import { greedy } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

setDefaultTimeout(240_000)

const folder = tempFolder()
let worker: RealWorker

beforeAll(async () => {
  const { path } = writeTinyModel(join(folder.path, "model.gguf"))
  worker = await RealWorker.start(path, { settings: { slots: 4, contextLength: 1024 } })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function schema(value: unknown, isStrict = false): OutputConstraint {
  return { type: "schema", schema: value as Record<string, unknown>, isStrict }
}

function times<T>(count: number, made: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => made(index))
}

function nested(levels: number, innermost: unknown, around: (inner: unknown) => unknown): unknown {
  return times(levels, () => undefined).reduce<unknown>((inner) => around(inner), innermost)
}

const TREE = {
  $defs: {
    node: {
      type: "object",
      properties: {
        value: { type: "integer" },
        children: { type: "array", items: { $ref: "#/$defs/node" } },
      },
      required: ["value"],
    },
  },
  $ref: "#/$defs/node",
}

/** As large as is allowed, or as hard. */
const LARGE: readonly (readonly [name: string, OutputConstraint])[] = [
  ["an enum of 1,000 values", schema({ enum: times(1000, (index) => `value number ${index}`) })],
  ["an enum of 256 KiB", schema({ enum: times(10_000, (index) => `${index} is one of the values`) })],
  ["16,384 choices", { type: "choice", choices: times(16_384, (index) => `choice ${index}`) }],
  [
    "64 levels",
    schema(nested(60, { type: "null" }, (items) => ({ type: "array", items, minItems: 1, maxItems: 1 }))),
  ],
  ["a schema that refers to itself", schema(TREE)],
  [
    "200 optional properties",
    schema({
      type: "object",
      properties: Object.fromEntries(times(200, (index) => [`property ${index}`, { type: "boolean" }])),
    }),
  ],
  [
    "1,000 properties, all demanded",
    schema({
      type: "object",
      properties: Object.fromEntries(times(1000, (index) => [`p${index}`, { type: "null" }])),
      required: times(1000, (index) => `p${index}`),
    }),
  ],
  [
    "alternatives of objects",
    schema({
      anyOf: times(500, (index) => ({
        type: "object",
        properties: { [`p${index}`]: { type: "null" } },
        required: [`p${index}`],
      })),
    }),
  ],
  ["2,000 characters at most", schema({ type: "string", maxLength: 2000 })],
  ["an expression with loops in loops", { type: "regex", pattern: "((a|aa|aaa)*(b|bb)*)*c" }],
  ["an expression with large counts", { type: "regex", pattern: "([a-z]{1,50}[0-9]{1,50}){1,30}" }],
  [
    "a grammar of 5,000 texts",
    { type: "grammar", source: `root ::= ${times(5000, (index) => `"text ${index}"`).join(" | ")}` },
  ],
  [
    "a grammar of 10,000 rules",
    {
      type: "grammar",
      source: [
        "root ::= r0",
        ...times(10_000, (index) => `r${index} ::= "${index}" r${index + 1}?`),
        'r10000 ::= "x"',
      ].join("\n"),
    },
  ],
  [
    "a grammar with repetitions in repetitions",
    { type: "grammar", source: 'root ::= ((("a"{0,50} "b"){0,50}) "c"){1,50}' },
  ],
]

describe("while another answer is written", () => {
  test.each(LARGE)("one within %s begins", async (_name, output) => {
    const other = worker.submit(
      greedy("the cat sat", { maxTokens: 200, sampling: { temperature: 0, ignoreEos: true } }),
    )
    const run = worker.submit(greedy([305, 306, 307], { maxTokens: 20, output }))
    await Promise.all([other.over, run.over])
    expect(run.error).toBeUndefined()
    expect(run.shown).toBeGreaterThan(0)
    expect(other.error).toBeUndefined()
    expect(other.shown).toBe(200)
  })

  test.each<readonly [name: string, output: OutputConstraint, message: string]>([
    [
      "schemas within each other",
      schema(nested(200, {}, (items) => ({ items }))),
      "nested more than 64 levels",
    ],
    ["parts", schema({ anyOf: times(10_001, () => ({ type: "null" })) }), "more than 10000 parts"],
    [
      "beginnings",
      {
        type: "grammar",
        source: times(30, (at) => `${at === 0 ? "root" : `r${at}`} ::= r${at + 1} "a" | r${at + 1} "b"`)
          .concat('r30 ::= "x"')
          .join("\n"),
      },
      "can begin in more than",
    ],
    [
      "ways to read it",
      { type: "grammar", source: 'root ::= " " root "b" | " " root "c" | "d"' },
      "contains itself",
    ],
    [
      "rules that begin with each other",
      {
        type: "grammar",
        source: [
          "root ::= r0",
          ...times(15_000, (index) => `r${index} ::= r${index + 1} "a"`),
          'r15000 ::= "x"',
        ].join("\n"),
      },
      "begins with more than 1000 rules",
    ],
    ["repetitions", { type: "grammar", source: 'root ::= "a"{1000000}' }, "more than 2000 times"],
    [
      "repetitions within each other in an expression",
      { type: "regex", pattern: "(((((a{0,9}){0,9}){0,9}){0,9}){0,9})" },
      "too many ways to match a text",
    ],
    [
      "repetitions within each other in a schema",
      schema({ type: "string", pattern: "^x((((a{0,9}){0,9}){0,9}){0,9})$" }),
      "can be read in too many ways",
    ],
    [
      "references in a circle",
      schema({ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } }),
      "the JSON schema at #/$defs/a refers to itself",
    ],
    [
      "rules that begin with themselves",
      { type: "grammar", source: 'root ::= root "a" | "b"' },
      "can begin with itself",
    ],
  ])("one with too many %s is refused", async (_name, output, message) => {
    const other = worker.submit(
      greedy("the cat sat", { maxTokens: 100, sampling: { temperature: 0, ignoreEos: true } }),
    )
    const failure = await worker.failure(greedy([305, 306, 307], { maxTokens: 20, output }))
    expect(failure).toMatchObject({ code: "invalid_request_error", status: 400 })
    expect(failure.message).toContain(message)
    await other.over
    expect(other.shown).toBe(100)
  })
})

test("a schema that takes longer than the limit to compile is refused, and what else runs goes on", async () => {
  const { path } = writeTinyModel(join(folder.path, "limited.gguf"))
  await using limited = await RealWorker.start(path, { templateTimeoutMs: 500 })
  // Each alternative is compared with each other one: this takes many seconds.
  const alternatives = times(1600, (index) => ({
    type: "object",
    properties: { kind: { const: index }, text: { type: "string" } },
    required: ["kind"],
  }))
  const properties = Object.fromEntries(times(3, (index) => [`p${index}`, { oneOf: alternatives }]))
  const other = limited.submit(
    greedy("the cat sat", { maxTokens: 100, sampling: { temperature: 0, ignoreEos: true } }),
  )
  const failure = await limited.failure(
    greedy([305, 306, 307], { maxTokens: 20, output: schema({ type: "object", properties }) }),
  )
  expect(failure).toMatchObject({ code: "invalid_request_error", status: 400 })
  expect(failure.message).toContain("takes longer than")
  await other.over
  expect(other.shown).toBe(100)
  const after = await limited.run(
    greedy([305, 306, 307], { maxTokens: 20, output: schema({ type: "boolean" }) }),
  )
  expect(["true", "false"]).toContain(after.text())
})

test("an expression that backtracking would follow forever is compared with listed values and names", async () => {
  const value = "a".repeat(500)
  const pattern = "^(a+)+$"
  const run = await worker.run(
    greedy([305, 306, 307], {
      maxTokens: 900,
      output: schema({
        type: "object",
        properties: { [`${value}!`]: { enum: [`${value}!`, value], pattern } },
        required: [`${value}!`],
        patternProperties: { [pattern]: false },
        additionalProperties: false,
      }),
    }),
  )
  expect(JSON.parse(run.text())).toEqual({ [`${value}!`]: value })
})
