import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import type { GenerationRequest, MediaPart } from "../../../src/domain/chat"
import { requestMedia } from "../../../src/domain/content"
import { MEDIA_MARK } from "../../../src/http/llama-server/media-mark"
import { FakeEngine } from "../../support/fakes/fake-engine"
import { errorOf, fakeServer, jsonOf } from "../../support/http"

const PICTURE = Buffer.from("a picture's bytes")
const OTHER = Buffer.from("another picture")
const base64 = PICTURE.toString("base64")
const dataUrl = `data:image/png;base64,${base64}`
const wav = Buffer.from("RIFF....WAVEfmt and more bytes").toString("base64")

/** Reads the files of its requests, as a worker would. */
class Looking extends FakeEngine {
  readonly seen: string[] = []
  parts: readonly MediaPart[] = []

  override chat(...args: Parameters<FakeEngine["chat"]>) {
    this.look(args[0])
    return super.chat(...args)
  }

  override complete(...args: Parameters<FakeEngine["complete"]>) {
    this.look(args[0])
    return super.complete(...args)
  }

  private look(request: GenerationRequest): void {
    this.parts = requestMedia(request)
    this.seen.push(...this.parts.map(({ path }) => readFileSync(path, "utf8")))
  }
}

async function sent(path: string, body: object) {
  const engine = new Looking()
  const server = fakeServer(undefined, { engine })
  const response = await server.post(path, { model: "tiny", stream: false, max_tokens: 5, ...body })
  await response.text()
  return { engine, status: response.status, content: contentOf(engine.lastRequest) }
}

/** Of the last message; media as their types. */
function contentOf(request: ReturnType<() => FakeEngine["lastRequest"]>) {
  if (request.kind !== "chat") return undefined
  const content = request.messages.at(-1)?.content
  return typeof content === "string"
    ? content
    : content?.map((part) => ("text" in part ? part.text : part.type))
}

const user = (content: unknown) => ({ messages: [{ role: "user", content }] })

describe("a picture", () => {
  test.each([
    [
      "OpenAI's chats",
      "/v1/chat/completions",
      user([
        { type: "text", text: "a" },
        { type: "image_url", image_url: { url: dataUrl } },
        { type: "text", text: "b" },
      ]),
      ["a", "image", "b"],
    ],
    [
      "the same without the object",
      "/v1/chat/completions",
      user([{ type: "image_url", image_url: dataUrl }]),
      ["image"],
    ],
    [
      "the same without data:",
      "/v1/chat/completions",
      user([{ type: "image_url", image_url: { url: base64 } }]),
      ["image"],
    ],
    [
      "responses",
      "/v1/responses",
      {
        input: [
          {
            role: "user",
            content: [
              { type: "input_image", image_url: dataUrl },
              { type: "input_text", text: "b" },
            ],
          },
        ],
      },
      ["image", "b"],
    ],
    [
      "Anthropic's messages",
      "/v1/messages",
      user([
        { type: "image", source: { type: "base64", media_type: "image/png", data: base64 } },
        { type: "text", text: "b" },
      ]),
      ["image", "b"],
    ],
    [
      "Ollama's chats",
      "/api/chat",
      { messages: [{ role: "user", content: "b", images: [base64] }] },
      ["image", "b"],
    ],
    ["Ollama's prompts", "/api/generate", { prompt: "b", images: [base64] }, ["image", "b"]],
    ["Ollama's prompts without text", "/api/generate", { prompt: "", images: [base64] }, ["image"]],
  ])("of %s is a file while the model answers", async (_, path, body, content) => {
    const { engine, status, content: given } = await sent(path, body)
    expect(status).toBe(200)
    expect(given).toEqual(content)
    expect(engine.seen).toEqual([PICTURE.toString()])
    const file = engine.parts[0]?.path ?? ""
    for (let turn = 0; turn < 1000 && existsSync(file); turn++) await new Promise(setImmediate)
    expect(existsSync(file)).toBeFalse()
  })

  test.each([
    [
      "OpenAI's API",
      "/v1/chat/completions",
      [
        { role: "user", content: "a" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c", type: "function", function: { name: "look", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c", content: [{ type: "image_url", image_url: { url: dataUrl } }] },
      ],
    ],
    [
      "Anthropic's API",
      "/v1/messages",
      [
        { role: "user", content: "a" },
        { role: "assistant", content: [{ type: "tool_use", id: "c", name: "look", input: {} }] },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "c",
              content: [{ type: "image", source: { type: "base64", data: base64 } }],
            },
          ],
        },
      ],
    ],
  ])("may be the result of a tool in %s", async (_, path, messages) => {
    const { engine, content } = await sent(path, { messages })
    expect(content).toEqual(["image"])
    expect(engine.seen).toEqual([PICTURE.toString()])
  })

  test("of a native completion stands at its mark", async () => {
    const prompt = { prompt_string: `a ${MEDIA_MARK} b ${MEDIA_MARK}`, multimodal_data: [base64, wav] }
    const { engine } = await sent("/completion", { prompt })
    expect(engine.lastRequest).toMatchObject({ media: { mark: MEDIA_MARK } })
    expect(engine.parts.map(({ type }) => type)).toEqual(["image", "audio"])
  })

  test("of a raw prompt comes before its text", async () => {
    const { engine } = await sent("/api/generate", {
      prompt: "b",
      raw: true,
      images: [base64, OTHER.toString("base64")],
    })
    const request = engine.lastRequest
    if (request.kind !== "completion" || request.media === undefined) throw new Error("no media")
    expect(String(request.prompt).split(request.media.mark)).toEqual(["", "", "b"])
    expect(engine.seen).toEqual([PICTURE.toString(), OTHER.toString()])
  })

  test("keeps how closely it is looked at", async () => {
    const { engine } = await sent(
      "/v1/chat/completions",
      user([{ type: "image_url", image_url: { url: dataUrl, detail: "low" } }]),
    )
    expect(engine.parts).toMatchObject([{ detail: "low" }])
  })
})

test("a sound is read as one", async () => {
  const { engine } = await sent(
    "/v1/chat/completions",
    user([{ type: "input_audio", input_audio: { data: wav, format: "wav" } }]),
  )
  expect(engine.parts).toMatchObject([{ type: "audio" }])
})

test("the mark of pictures is told with the server's properties", async () => {
  const properties = await jsonOf(fakeServer().get("/props?model=tiny"))
  expect(properties).toMatchObject({ media_marker: MEDIA_MARK, modalities: { vision: false, audio: false } })
})

const PLACE = "messages[0].content[0].image_url.url"
const picture = (url: unknown, more = {}) => user([{ type: "image_url", image_url: { url, ...more } }])

test.each([
  ["what is not base64", picture("data:image/png;base64,%%%"), `${PLACE} is not valid base64`],
  [
    "a data: URL without base64",
    picture("data:text/plain,hello"),
    `${PLACE} must be a data: URL with base64`,
  ],
  ["nothing", picture(""), `${PLACE} is empty`],
  ["a number", picture(7), `${PLACE} must be a data: URL or base64`],
  ["a detail that is none", picture(dataUrl, { detail: "huge" }), "must be one of auto, low, high"],
  ["a URL", picture("https://example.com/a.png"), `${PLACE} is a URL, which this server does not load`],
  ["a file", picture("file:///etc/passwd"), `${PLACE} is a file: URL`],
  ["another scheme", picture("ftp://example.com/a.png"), `${PLACE} is a ftp: URL`],
  [
    "a picture that is too large",
    picture(`data:image/png;base64,${"A".repeat(2000)}`),
    "at most 1 KiB are accepted",
  ],
  ["an image without a place", user([{ type: "image_url" }]), "messages[0].content[0].image_url is required"],
])("%s is refused", async (_, body, message) => {
  const vision = { maxFiles: 2, maxBytes: 1024, fetchesUrls: false }
  const error = await errorOf(
    fakeServer(undefined, { settings: { vision } }).post("/v1/chat/completions", body),
  )
  expect(error).toMatchObject({ status: 400, message: expect.stringContaining(message) })
})

test("more pictures than allowed are refused, and none is left behind", async () => {
  const vision = { maxFiles: 2, maxBytes: 1024, fetchesUrls: false }
  const server = fakeServer(undefined, { settings: { vision } })
  const parts = Array.from({ length: 3 }, () => ({ type: "image_url", image_url: { url: dataUrl } }))
  const error = await errorOf(server.post("/v1/chat/completions", user(parts)))
  expect(error["message"]).toStartWith(
    "the request has more than 2 images and sounds (the server's vision.max_files)",
  )
})

test("a body may exceed 16 MiB by pictures only", async () => {
  const server = fakeServer()
  const large = Buffer.alloc(14 * 1024 ** 2).toString("base64")
  const status = async (body: object) => (await server.post("/v1/chat/completions", body)).status
  expect(await status(picture(`data:image/png;base64,${large}`))).toBe(200)
  const halves = ["x".repeat(9 * 1024 ** 2), "y".repeat(9 * 1024 ** 2)]
  expect(await status(user(halves.map((text) => ({ type: "text", text }))))).toBe(413)
  // Escapes are slow to decode.
  expect(await status(user("\n".repeat(8.5 * 1024 ** 2)))).toBe(413)
})
