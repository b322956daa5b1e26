import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync } from "node:fs"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import type OpenAI from "openai"
import { zodResponseFormat } from "openai/helpers/zod"
import { z } from "zod"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { REAL_MODEL_PATH } from "../support/real/real-model"

setDefaultTimeout(240_000)

const QWEN = "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf"

/** Real models where there are some; the random one is always there. */
const REAL = [
  ["smollm2", REAL_MODEL_PATH],
  [
    "qwen",
    [
      join(import.meta.dir, "../../../../models", QWEN),
      join(import.meta.dir, "../../../../shared/models", QWEN),
    ].find((path) => existsSync(path)) ?? "",
  ],
] as const
const PRESENT = REAL.filter(([, path]) => existsSync(path))
const NAMES = ["tiny", ...PRESENT.map(([name]) => name)]

let xllm: Installation
let server: InstalledServer
let client: OpenAI

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  for (const [name, path] of PRESENT) await symlink(path, join(xllm.models, `${name}.gguf`))
  server = await xllm.serve([])
  client = server.client()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

/** A random model rarely ends a text or a list; these tokens do. */
function request(model: string, content: string) {
  const bias: Record<string, number> = model === "tiny" ? { 37: 6, 96: 6, 128: 6 } : {}
  return {
    model,
    messages: [{ role: "user" as const, content }],
    temperature: 0,
    max_tokens: 200,
    seed: 1,
    logit_bias: bias,
  }
}

const Country = z.enum(
  Array.from({ length: 1000 }, (_, index) => `country ${index}`) as [string, ...string[]],
)
const Choice = z.object({ country: Country })

interface Tree {
  name: "leaf" | "branch"
  children: Tree[]
}
const Node: z.ZodType<Tree> = z.lazy(() =>
  z.object({ name: z.enum(["leaf", "branch"]), children: z.array(Node).max(2) }),
)
const Root = z.object({ root: Node })

const Address = z.object({
  city: z.string().max(12),
  geo: z
    .object({ lat: z.number().min(-90).max(90).nullable(), lon: z.number().min(-180).max(180).nullable() })
    .nullable(),
})
const Person = z.object({
  name: z.string().max(12),
  age: z.int().min(0).max(120),
  address: Address.nullable(),
})

describe.each(NAMES)("OpenAI's client gets from %s", (model) => {
  test("one of 1,000 values", async () => {
    const { choices } = await client.chat.completions.parse({
      ...request(model, "Name a country."),
      response_format: zodResponseFormat(Choice, "choice"),
    })
    expect(choices[0]?.finish_reason).toBe("stop")
    expect(choices[0]?.message.parsed?.country).toMatch(/^country [0-9]{1,3}$/)
  })

  test("a value of a schema that refers to itself", async () => {
    const asked = {
      ...request(model, "Draw a small tree."),
      response_format: zodResponseFormat(Root, "tree"),
    }
    // Whether it ends is up to the model: what is complete is valid.
    const { choices } = await client.chat.completions.create(asked)
    const [choice] = choices
    if (choice?.finish_reason === "length") return expect(choice.message.content).toStartWith("{")
    expect(Root.safeParse(JSON.parse(choice?.message.content ?? "")).success).toBe(true)
  })

  test("objects in objects, some of which may be absent", async () => {
    const { choices } = await client.chat.completions.parse({
      ...request(model, "Anna is 31 and lives in Berlin. Give her data."),
      response_format: zodResponseFormat(Person, "person"),
    })
    expect(choices[0]?.finish_reason).toBe("stop")
    expect(Person.safeParse(choices[0]?.message.parsed).success).toBe(true)
  })

  test("the same value piece by piece, each piece parsed as far as it goes", async () => {
    const asked = {
      ...request(model, "Give Anna's data."),
      response_format: zodResponseFormat(Person, "person"),
    }
    const seen: unknown[] = []
    const stream = client.chat.completions
      .stream(asked)
      .on("content.delta", ({ parsed }) => seen.push(structuredClone(parsed)))
    const whole = await stream.finalChatCompletion()
    expect(Person.safeParse(whole.choices[0]?.message.parsed).success).toBe(true)
    expect(seen.length).toBeGreaterThan(3)
    expect(seen.at(-1)).toEqual(whole.choices[0]?.message.parsed)
    // Parts of objects, in the schema's order.
    expect(seen.some((each) => JSON.stringify(Object.keys(each ?? {})) === '["name"]')).toBe(true)
  })
})

describe("a format on the command line", () => {
  const schema = { type: "object", properties: { colour: { enum: ["red", "green"] } }, required: ["colour"] }

  function isColour(text: string): boolean {
    const { colour } = JSON.parse(text) as { colour: unknown }
    return colour === "red" || colour === "green"
  }

  beforeAll(() => Bun.write(join(xllm.folder, "colour.json"), JSON.stringify(schema)))

  test("holds without a server", async () => {
    const { out, code } = await xllm.run([
      "run",
      join(xllm.models, "tiny.gguf"),
      "--ctx",
      "512",
      "--format",
      "colour.json",
      "hello",
    ])
    expect(code).toBe(0)
    expect(isColour(out)).toBe(true)
  })

  test("holds with a server", async () => {
    const { out, code } = await xllm.run([
      "run",
      "tiny",
      "--host",
      server.url,
      "--format",
      "colour.json",
      "hello",
    ])
    expect(code).toBe(0)
    expect(isColour(out)).toBe(true)
  })

  test("that is no schema is refused before anything is asked", async () => {
    await Bun.write(join(xllm.folder, "wrong.json"), "{")
    const wrong = await xllm.run(["run", "tiny", "--host", server.url, "--format", "wrong.json", "hello"])
    expect(wrong.code).not.toBe(0)
    expect(wrong.err).toContain("wrong.json is not a JSON schema")
    await Bun.write(join(xllm.folder, "typo.json"), '{"properties":{"a":{"type":"strin"}}}')
    const typo = await xllm.run(["run", "tiny", "--host", server.url, "--format", "typo.json", "hello"])
    expect(typo.code).not.toBe(0)
    expect(typo.err).toContain("#/properties/a/type")
  })

  test.each([
    ["with a server", () => ["tiny", "--host", server.url]],
    ["without one", () => [join(xllm.models, "tiny.gguf"), "--ctx", "512"]],
  ])("is set in a conversation %s", async (_name, model) => {
    await using session = xllm.openTerminal(["run", ...model()])
    await session.see("Send a message")
    session.type("/set format colour.json\r")
    await session.see("Answers are JSON as in colour.json.")
    session.type("hello\r")
    await session.see('"colour"')
    session.type("/set noformat\r")
    await session.see("Answers are any text")
    session.type("/bye\r")
    expect(await session.exited).toBe(0)
  })
})
