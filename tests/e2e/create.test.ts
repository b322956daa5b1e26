import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeTinyAdapter } from "../support/files/tiny-adapter"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"

let xllm: Installation
let server: InstalledServer

const MODELFILE = `# every instruction that has an effect
FROM ./weights/tiny.gguf
ADAPTER ./weights/lora.gguf
TEMPLATE """{{- if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- if ne .Role "system" }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}
{{- end }}<|im_start|>assistant
"""
SYSTEM """You are Mario,
from "Super Mario Bros"."""
MESSAGE user Who are you?
MESSAGE assistant It's me!
PARAMETER temperature 0
PARAMETER seed 7
PARAMETER num_predict 6
PARAMETER num_ctx 256
PARAMETER parallel 2
PARAMETER stop "<|never|>"
PARAMETER keep_alive 90m
LICENSE "MIT"
REQUIRES 0.1.0
`

beforeAll(async () => {
  xllm = await Installation.create()
  mkdirSync(join(xllm.folder, "weights"))
  writeTinyModel(join(xllm.folder, "weights/tiny.gguf"))
  writeTinyAdapter(join(xllm.folder, "weights/lora.gguf"))
  writeFileSync(join(xllm.folder, "Modelfile"), MODELFILE)
  // Only what must be said: the rest is the model's to say.
  server = await xllm.serve([], { loading: ["--gpu-layers", "0"] })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

async function post(path: string, body: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const response = await server.post(path, body)
  return (await response.json()) as Record<string, unknown>
}

const HI = { messages: [{ role: "user", content: "hi" }] }

describe("a model out of a Modelfile", () => {
  test("is made in the server's models directory, with Ollama's words", async () => {
    const { out, err, code } = await xllm.run(["create", "mario"])
    expect([out, code]).toEqual(["", 0])
    expect(err.replaceAll(/[0-9a-f]{64}/g, "HEX")).toBe(
      "gathering model components\ncreating new layer sha256:HEX\ncreating new layer sha256:HEX\nwriting manifest\nsuccess\n",
    )
    expect(readdirSync(join(xllm.models, "blobs"))).toHaveLength(2)
    expect((await xllm.run(["list"])).out).toContain("mario:latest")
  })

  test("brings along its template, its messages and its parameters", async () => {
    expect(await post("/v0/render", { model: "mario", ...HI })).toMatchObject({
      prompt:
        '<|im_start|>system\nYou are Mario,\nfrom "Super Mario Bros".<|im_end|>\n' +
        "<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\nIt's me!<|im_end|>\n" +
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
      parameters: { temperature: 0, seed: 7, max_tokens: 6, stop: ["<|never|>"] },
    })
  })

  test("is loaded as it says", async () => {
    const [loaded] = await server.loaded()
    expect(loaded).toMatchObject({ name: "mario:latest", info: { context_length: 256, slots: 2 } })
    const keptFor = Date.parse(loaded?.expires_at ?? "") - Date.parse(loaded?.last_used_at ?? "")
    expect(Math.round(keptFor / 60_000)).toBe(90)
  })

  test("answers a chat, and a request's own values come first", async () => {
    const answer = await post("/v1/chat/completions", { model: "mario", ...HI })
    expect(answer).toMatchObject({ usage: { completion_tokens: 6 }, choices: [{ finish_reason: "length" }] })
    const own = {
      temperature: 1,
      seed: 5,
      max_tokens: 2,
      messages: [{ role: "system", content: "You are Luigi." }, ...HI.messages],
    }
    expect(await post("/v0/render", { model: "mario", ...own })).toMatchObject({
      prompt: expect.stringContaining("<|im_start|>system\nYou are Luigi.<|im_end|>\n"),
      parameters: { temperature: 1, seed: 5, max_tokens: 2 },
    })
  })

  test("is made again by the Modelfile that it shows, with the same sums", async () => {
    const { out, code } = await xllm.run(["show", "mario", "--modelfile"])
    expect(code).toBe(0)
    await xllm.run(["create", "twin", "-f", "-"], { input: out })
    const { models } = JSON.parse((await xllm.run(["list", "--json"])).out) as {
      models: readonly { readonly name: string; readonly id: string }[]
    }
    const idOf = (name: string) => models.find((model) => model.name === name)?.id
    expect(idOf("twin:latest")).toBe(idOf("mario:latest") ?? "")
    expect(readdirSync(join(xllm.models, "blobs"))).toHaveLength(2)
  })

  test("answers otherwise than without its adapter", async () => {
    await xllm.run(["create", "plain", "-f", "-"], { input: "FROM mario\nPARAMETER adapter_scale 0" })
    const ask = async (model: string) =>
      JSON.stringify(
        (await post("/v1/completions", { model, prompt: "The cat sat on", max_tokens: 12 }))["choices"],
      )
    expect(await ask("mario")).not.toBe(await ask("plain"))
  })

  test("is used by the running server as soon as it is made again", async () => {
    await xllm.run(["create", "mario", "-f", "-"], { input: "FROM mario\nSYSTEM Be Wario." })
    const { prompt } = await post("/v0/render", { model: "mario", ...HI })
    expect(prompt).toStartWith("<|im_start|>system\nBe Wario.<|im_end|>\n")
  })

  test("answers 'run' without a server", async () => {
    const environment = { XLLM_HOST: "127.0.0.1:1" }
    const { out, code } = await xllm.run(["run", "mario", "hi", "--json"], { environment })
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ usage: { completion_tokens: 6 } })
  })
})

describe("a Modelfile that cannot be used", () => {
  test("is refused with all its faults, and nothing is made", async () => {
    const input = "FROM ./nothing.gguf\nPARAMETER temprature 1\nRENDERER x\nTEMPLATE {{ .Sytem }}\n"
    const { out, err, code } = await xllm.run(["create", "broken", "-f", "-"], { input })
    expect([out, code]).toEqual(["", 1])
    expect(err).toStartWith(
      "gathering model components\nError: standard input:1: FROM ./nothing.gguf: cannot read /",
    )
    expect(err).toContain("\nstandard input:2: unknown parameter 'temprature'; did you mean 'temperature'?\n")
    expect(err).toContain("\nstandard input:3: RENDERER is not supported yet")
    expect(err).toContain("\nstandard input:4: TEMPLATE: unknown field '.Sytem'; there are .Suffix, ")
    expect((await xllm.run(["list"])).out).not.toContain("broken")
  })

  test("asks for what is not supported yet, with its line", async () => {
    const input = "FROM mario\nRENDERER qwen3-coder\n"
    const { err, code } = await xllm.run(["create", "broken", "-f", "-"], { input })
    expect([err, code]).toEqual([
      "gathering model components\nError: standard input:2: RENDERER is not supported yet; a TEMPLATE is\n",
      1,
    ])
  })

  test("is not there", async () => {
    const { err, code } = await xllm.run(["create", "x", "-f", "No.Modelfile"])
    expect([err, code]).toEqual(["Error: cannot read No.Modelfile: no such file or folder\n", 1])
  })
})

test("files that a model is made from stay as they were", () => {
  expect(readFileSync(join(xllm.folder, "Modelfile"), "utf8")).toBe(MODELFILE)
  expect(readdirSync(join(xllm.folder, "weights")).sort()).toEqual(["lora.gguf", "tiny.gguf"])
})
