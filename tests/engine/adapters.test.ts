import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { AdapterChoice } from "../../src/domain/adapters"
import type { CompletionRequest } from "../../src/domain/chat"
import type { ManagedEngine } from "../../src/engine"
import { parseModelfile } from "../../src/formats/modelfile/parse"
import { createModel } from "../../src/store/create/create"
import { parseModelName } from "../../src/store/names"
import { ModelsFolder } from "../support/files/models-folder"
import { writeTinyAdapter } from "../support/files/tiny-adapter"
import { writeTinyModel } from "../support/files/tiny-model"
import { failure } from "../support/failure"
import { answerOf, eventsOf, realEngine } from "../support/real/real-engine"
import { greedy } from "../support/requests"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const models = new ModelsFolder()
const loras = join(models.path, "../loras")
let engine: ManagedEngine

beforeAll(async () => {
  for (const folder of [loras, models.path]) mkdirSync(folder, { recursive: true })
  writeTinyModel(join(models.path, "base.gguf"))
  writeTinyModel(join(models.path, "wide.gguf"), { dim: 96 })
  writeTinyAdapter(join(loras, "a.gguf"), { rank: 8, seed: 1 })
  writeTinyAdapter(join(loras, "b.gguf"), { rank: 32, seed: 2 })
  writeTinyAdapter(join(loras, "foreign.gguf"), { architecture: "qwen2" })
  writeTinyModel(join(loras, "model.gguf"))
  const folder = join(models.home, "work")
  mkdirSync(folder)
  writeTinyAdapter(join(folder, "own.gguf"), { seed: 3 })
  await createModel({
    store: models.store,
    name: parseModelName("adapted"),
    modelfile: parseModelfile("FROM base\nADAPTER own.gguf"),
    file: "Modelfile",
    folder,
    report() {},
  })
  engine = realEngine(models.path, { settings: { slots: 4, contextLength: 512 } })
})
afterAll(async () => {
  await engine.close()
  models[Symbol.dispose]()
})

const ask = (model: string, lora?: readonly AdapterChoice[], more: Partial<CompletionRequest> = {}) =>
  answerOf(
    engine,
    greedy("The cat sat on", { maxTokens: 16, model, ...(lora !== undefined && { lora }), ...more }),
  )

const refusal = (model: string, lora?: readonly AdapterChoice[]) =>
  ask(model, lora).then(
    () => undefined,
    (error: unknown) => error,
  )

const A: AdapterChoice = { adapter: "a", scale: 1 }
const B: AdapterChoice = { adapter: "b", scale: 1 }

describe("a request", () => {
  test("names adapters, or gives their numbers", async () => {
    const [plain, withA, withB] = [await ask("base"), await ask("base", [A]), await ask("base", [B])]
    expect(new Set([plain, withA, withB]).size).toBe(3)
    expect(await ask("base", [{ adapter: "A", scale: 1 }])).toBe(withA)
    expect(await ask("base", [{ adapter: 1, scale: 1 }])).toBe(withB)
    expect(await ask("base", [{ ...A, scale: 0 }])).toBe(plain)
    expect(await ask("base", [B, A])).toBe(await ask("base", [A, B]))
    expect(await ask("base")).toBe(plain)
  })

  test("for a model with its own can add to it, or leave it out", async () => {
    const [plain, own] = [await ask("base"), await ask("adapted")]
    expect(own).not.toBe(plain)
    expect((await engine.adapters("adapted")).map(({ name, scale }) => [name, scale])).toEqual([
      ["own", 1],
      ["a", 0],
      ["b", 0],
    ])
    expect(await ask("adapted", [{ adapter: "own", scale: 1 }])).toBe(own)
    expect(await ask("adapted", [{ adapter: "own", scale: 0 }])).toBe(plain)
    expect(await ask("adapted", [A])).toBe(await ask("base", [A]))
  })

  test("may name one with the model, which the answer names as well", async () => {
    const { signal } = new AbortController()
    const stream = engine.complete(greedy("The cat sat on", { maxTokens: 16, model: "base@a" }), signal)
    let text = ""
    for await (const event of stream) if (event.type === "delta") text += event.text
    expect(text).toBe(await ask("base", [A]))
    expect(stream.model).toBe("base@a")
    expect(await ask("base:latest@b")).toBe(await ask("base", [B]))
    expect(await ask("base@a", [B])).toBe(await ask("base", [A, B]))
    expect((await engine.resolve("base@a")).name).toBe("base")
    expect((await engine.show("base@a")).name).toBe("base")
  })

  test("that names one that is not there is refused, and so is one for other models", async () => {
    expect(await refusal("base", [{ adapter: "none", scale: 1 }])).toMatchObject({
      code: "adapter_not_found",
      status: 404,
      message: "model 'base' has no adapter 'none'; it has 0: a, 1: b",
    })
    expect(await refusal("base", [{ adapter: 2, scale: 1 }])).toMatchObject({ status: 404 })
    expect(await refusal("base@none")).toMatchObject({ code: "adapter_not_found" })
    expect(await refusal("none@a")).toMatchObject({ code: "model_not_found" })
    expect(await refusal("base", [{ adapter: "../loras/a", scale: 1 }])).toMatchObject({ status: 404 })
    expect(await refusal("base", [{ adapter: join(loras, "a.gguf"), scale: 1 }])).toMatchObject({
      status: 404,
    })
    expect(await refusal("base", [{ adapter: "foreign", scale: 1 }])).toMatchObject({
      status: 400,
      message: "adapter 'foreign' is for models of the architecture 'qwen2', and 'base' is a 'llama'",
    })
    expect(await refusal("wide", [A])).toMatchObject({
      message: "adapter 'a' changes 'blk.0.attn_q.weight' of 64 × 64, and that of 'wide' has 96 × 96",
    })
    expect(await refusal("wide@a")).toMatchObject({ status: 400 })
    expect(await refusal("base", [{ adapter: "model", scale: 1 }])).toMatchObject({
      message: "adapter 'model' cannot be used: it is a model GGUF, not a LoRA adapter",
    })
  })
})

test("the strengths for requests that name none can be set", async () => {
  const [plain, withA] = [await ask("base"), await ask("base", [A])]
  await engine.setAdapters("base", [{ adapter: 0, scale: 1 }])
  expect((await engine.adapters("base")).map(({ scale }) => scale)).toEqual([1, 0])
  expect(await ask("base")).toBe(withA)
  expect(await ask("base", [B])).not.toBe(withA)
  expect(await ask("base@b")).toBe(await ask("base", [A, B]))
  await engine.setAdapters("base", [])
  expect(await ask("base")).toBe(plain)
  expect(engine.setAdapters("base", [{ adapter: 7, scale: 1 }])).rejects.toMatchObject({ status: 404 })
})

test("a file that is replaced is another adapter, and what was computed with it before is not used", async () => {
  const path = join(loras, "changing.gguf")
  const changing: AdapterChoice = { adapter: "changing", scale: 1 }
  writeTinyAdapter(path, { rank: 8, seed: 1 })
  expect(await ask("base", [changing])).toBe(await ask("base", [A]))
  writeTinyAdapter(`${path}.new`, { rank: 32, seed: 2 })
  renameSync(`${path}.new`, path)
  expect(await ask("base", [changing])).toBe(await ask("base", [B]))
  // Both names mean the same content, so their strengths add up.
  expect(await ask("base", [changing, { ...B, scale: -1 }])).toBe(await ask("base"))
  rmSync(path)
  expect(await refusal("base", [changing])).toMatchObject({ code: "adapter_not_found" })
})

test("adapters of four requests at once do not mix", async () => {
  const sets = [undefined, [A], [B], [A, B]]
  const alone: string[] = []
  for (const lora of sets) alone.push(await ask("base", lora, { maxTokens: 60 }))
  expect(await Promise.all(sets.map((lora) => ask("base", lora, { maxTokens: 60 })))).toEqual(alone)
})

test("a prompt is evaluated once for each set", async () => {
  const cachedBy = async (lora?: readonly AdapterChoice[]) => {
    const prompt =
      "A prompt that nothing else in this file has, of more than sixteen tokens, because of copies."
    const request = greedy(prompt, { maxTokens: 1, model: "base", ...(lora !== undefined && { lora }) })
    const done = (await eventsOf(engine, request)).find((event) => event.type === "done")
    return done?.type === "done" && done.usage.cachedTokens
  }
  expect(await cachedBy()).toBe(0)
  expect(await cachedBy([A])).toBe(0)
  expect(await cachedBy([{ ...A, scale: 0.5 }])).toBe(0)
  expect(await cachedBy([A])).toBeGreaterThan(16)
  expect(await cachedBy()).toBeGreaterThan(16)
})

test("an alias may stand for a model with an adapter", async () => {
  const aliases = new Map([
    ["styled", "writer"],
    ["writer", "base@a"],
    ["lost", "base@none"],
  ])
  const named = realEngine(models.path, { aliases, settings: { slots: 4, contextLength: 512 } })
  try {
    const prompt = (model: string) => greedy("The cat sat on", { maxTokens: 16, model })
    expect(await answerOf(named, prompt("styled"))).toEqual(await ask("base@a"))
    expect((await named.resolve("styled")).name).toBe("base")
    expect(await failure(answerOf(named, prompt("lost")))).toMatchObject({ code: "adapter_not_found" })
  } finally {
    await named.close()
  }
})
