import Anthropic from "@anthropic-ai/sdk"
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Ollama } from "ollama"
import OpenAI from "openai"
import { locateLlama } from "../../src/native/llama-files"
import { Installation, type InstalledServer } from "../support/installation"
import { writeTinyModel } from "../support/files/tiny-model"
import { plainPicture } from "../support/vision/pictures"
import { writeTinyVision } from "../support/vision/tiny-vision"

setDefaultTimeout(120_000)

const { mtmd } = await locateLlama("/nonexistent")
const PICTURE = Buffer.from(plainPicture(64, 64, [200, 30, 30])).toString("base64")
const URL_OF_PICTURE = `data:image/bmp;base64,${PICTURE}`

let xllm: Installation
let server: InstalledServer

beforeAll(async () => {
  xllm = await Installation.create()
  const folder = join(xllm.models, "seeing")
  mkdirSync(folder, { recursive: true })
  const { model, projector } = writeTinyVision(folder, "gemma3", { name: "tiny-eyes" })
  cpSync(model, join(folder, "seeing.gguf"))
  cpSync(projector, join(folder, "mmproj-seeing.gguf"))
  writeTinyModel(join(xllm.models, "blind.gguf"))
  writeFileSync(join(xllm.models, "red.bmp"), plainPicture(64, 64, [200, 30, 30]))
  server = await xllm.serve()
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

describe.skipIf(mtmd === undefined)("a picture in the executable", () => {
  test("is seen through the clients of OpenAI, Anthropic and Ollama", async () => {
    const { models } = await new Ollama({ host: server.url }).list()
    const model = models.find(({ name }) => name.startsWith("seeing"))?.name ?? ""
    const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 })
    const ask = (picture: boolean) =>
      openai.chat.completions.create({
        model,
        max_tokens: 4,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "look" },
              ...(picture ? [{ type: "image_url", image_url: { url: URL_OF_PICTURE } } as const] : []),
            ],
          },
        ],
      })
    const [seen, blind] = [await ask(true), await ask(false)]
    const more = (seen.usage?.prompt_tokens ?? 0) - (blind.usage?.prompt_tokens ?? 0)
    expect(more).toBeGreaterThanOrEqual(16)

    const anthropic = new Anthropic({ baseURL: server.url, apiKey: "none", maxRetries: 0 })
    const message = await anthropic.messages.create({
      model,
      max_tokens: 4,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "look" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: PICTURE } },
          ],
        },
      ],
    })
    expect(message.usage.input_tokens + (message.usage.cache_read_input_tokens ?? 0)).toBeGreaterThan(16)

    const chat = await new Ollama({ host: server.url }).chat({
      model,
      messages: [{ role: "user", content: "look", images: [PICTURE] }],
      options: { num_predict: 4 },
    })
    expect(chat.prompt_eval_count).toBeGreaterThan(16)
  })

  test("is refused in plain words for a model that does not see", async () => {
    const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 })
    const content = [{ type: "image_url", image_url: { url: URL_OF_PICTURE } } as const]
    const asked = openai.chat.completions.create({ model: "blind", messages: [{ role: "user", content }] })
    const error = await asked.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ status: 400, code: "unsupported" })
    expect(String(error)).toContain("model 'blind' does not see images")
  })

  test("is given to `run` as a file", async () => {
    const picture = join(xllm.models, "red.bmp")
    const model = join(xllm.models, "seeing", "seeing.gguf")
    const { out, err, code } = await xllm.run(["run", model, "look", "--image", picture, "--max-tokens", "4"])
    expect([err, code]).toEqual(["", 0])
    expect(out.trim()).not.toBe("")
  })
})
