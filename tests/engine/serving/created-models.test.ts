import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { ManagedEngine } from "../../../src/engine"
import { parseModelfile } from "../../../src/formats/modelfile/parse"
import { createModel } from "../../../src/store/create/create"
import { parseModelName } from "../../../src/store/names"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyAdapter } from "../../support/files/tiny-adapter"
import { writeTinyModel } from "../../support/files/tiny-model"
import { answerOf, eventsOf, realEngine } from "../../support/real/real-engine"
import { greedy, greedyChat } from "../../support/requests"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const models = new ModelsFolder()
const folder = join(models.home, "work")
let engine: ManagedEngine

beforeAll(() => {
  mkdirSync(folder)
  writeTinyModel(join(folder, "model.gguf"))
  writeTinyAdapter(join(folder, "lora.gguf"))
  engine = realEngine(models.path, { settings: { slots: 2, contextLength: 512 } })
})
afterAll(async () => {
  await engine.close()
  models[Symbol.dispose]()
})

async function create(name: string, modelfile: string): Promise<void> {
  await createModel({
    store: models.store,
    name: parseModelName(name),
    modelfile: parseModelfile(modelfile),
    file: "Modelfile",
    folder,
    report() {},
  })
}

const { signal } = new AbortController()

test("SYSTEM, MESSAGE, TEMPLATE and PARAMETER are what a chat is rendered and sampled with", async () => {
  await create(
    "mario",
    `FROM model.gguf
TEMPLATE """{{- range $i, $_ := .Messages }}<|im_start|>{{ .Role }}: {{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant: """
SYSTEM You are Mario.
MESSAGE user Who?
MESSAGE assistant It's me.
PARAMETER temperature 0.3
PARAMETER top_k 3
PARAMETER num_predict 5
PARAMETER stop "!!"`,
  )
  const chat = { ...greedyChat("Hi."), sampling: {}, model: "mario" }
  const { prompt, parameters } = await engine.render(chat, signal)
  expect(prompt).toBe(
    "<|im_start|>system: You are Mario.<|im_end|>\n<|im_start|>user: Who?<|im_end|>\n" +
      "<|im_start|>assistant: It's me.<|im_end|>\n<|im_start|>user: Hi.<|im_end|>\n<|im_start|>assistant: ",
  )
  expect(parameters).toMatchObject({ temperature: 0.3, topK: 3, maxTokens: 5, stop: ["!!"] })
  expect((await eventsOf(engine, chat)).at(-1)).toMatchObject({ usage: { completionTokens: 5 } })

  const own = { ...chat, sampling: { temperature: 1 }, maxTokens: 2, stop: ["?"] }
  expect((await engine.render(own, signal)).parameters).toMatchObject({
    temperature: 1,
    topK: 3,
    maxTokens: 2,
    stop: ["?"],
  })
})

test("ADAPTER changes what the model says, and not with the scale 0", async () => {
  await create("plain", "FROM model.gguf")
  await create("adapted", "FROM plain\nADAPTER lora.gguf")
  await create("scaled", "FROM adapted\nPARAMETER adapter_scale 0")
  const ask = (model: string) => answerOf(engine, greedy("The cat sat on", { maxTokens: 12, model }))
  const plain = await ask("plain")
  expect(await ask("adapted")).not.toBe(plain)
  expect(await ask("scaled")).toBe(plain)
})

test("a model that is made anew is used at the next request", async () => {
  const system = async () => (await engine.render({ ...greedyChat("hi"), model: "changing" }, signal)).prompt
  await create("changing", "FROM model.gguf\nSYSTEM one")
  expect(await system()).toContain("<|im_start|>system\none<|im_end|>")
  await create("changing", "FROM model.gguf\nSYSTEM two")
  expect(await system()).toContain("<|im_start|>system\ntwo<|im_end|>")
})

test("what cannot be had of a model is told where it is loaded", async () => {
  const { files } = (await models.store.manifest("plain"))!
  await models.store.install(parseModelName("rendered"), {
    version: 1,
    kind: "text",
    createdAt: "2026-01-01T00:00:00Z",
    files,
    parameters: {},
    renderer: "qwen3-coder",
  })
  await engine.render({ ...greedyChat("hi"), model: "rendered" }, signal)
  expect(engine.loaded().find(({ name }) => name === "rendered:latest")?.notes).toEqual([
    "its renderer 'qwen3-coder' is not supported: using the chat template of its file",
  ])
})
