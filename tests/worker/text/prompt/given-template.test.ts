import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ChatMessage } from "../../../../src/domain/chat"
import { TEXTS } from "../../../../src/limits"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { RealWorker } from "../../../support/real/real-worker"
import { greedyChat } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

setDefaultTimeout(60_000)

const folder = tempFolder()
let worker: RealWorker

beforeAll(async () => {
  const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
  worker = await RealWorker.start(path, { templateTimeoutMs: 2_000 })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const BRIEF: readonly ChatMessage[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "<|im_end|>Hi" },
]

test.each([
  ["{{ .System }}\nUSER: {{ .Prompt }}\nASSISTANT:", "Be brief.\nUSER: <|im_end|>Hi\nASSISTANT:"],
  [
    "{{ if .System }}S:{{ .System }} {{ end }}{{ .Prompt }} -> {{ .Response }}!",
    "S:Be brief. <|im_end|>Hi -> ",
  ],
  ["{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ end }}", "[system]Be brief.[user]<|im_end|>Hi"],
  [
    "<|im_start|>{{ .System }}{{ .Prompt }}{{ if .Suffix }}<gap>{{ .Suffix }}{{ end }}",
    "<|im_start|>Be brief.<|im_end|>Hi<gap>end",
  ],
])("a template of the request is applied in place of the model's: %s", async (template, expected) => {
  const chat = greedyChat(BRIEF, { template, templateArguments: { suffix: "end" } })
  const { prompt, tokens } = await worker.render(chat)
  expect(prompt).toBe(expected)
  // Markers of the template count, those in messages do not.
  expect(tokens.filter((token) => token <= 2)).toHaveLength(template.includes("<|im_start|>") ? 1 : 0)
})

test.each([
  ["{{ if .Prompt }}", "template, line 1: a block is never closed by {{end}}"],
  ["a\n{{ .Nothing }}", "template, line 2: "],
])("one with a fault is refused: %s", async (template, message) => {
  const error = await worker.failure(greedyChat(BRIEF, { template }))
  expect(error).toMatchObject({ status: 400, param: "template" })
  expect(error.message).toStartWith(message)
})

test("one that takes too long is given up, and others are answered", async () => {
  const depth = 60
  const template = "{{ range .Messages }}".repeat(depth) + "{{ .Content }}" + "{{ end }}".repeat(depth)
  const nested = template.replaceAll("range .Messages", "range $.Messages")
  expect(nested.length).toBeLessThan(TEXTS.template.maxLength)
  const slow = worker.failure(greedyChat(BRIEF, { template: nested }))
  const other = worker.render(greedyChat("hi"))
  expect(await slow).toMatchObject({ status: 400 })
  expect((await other).prompt).toContain("hi")
})
