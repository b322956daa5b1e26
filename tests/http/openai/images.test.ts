import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { ImageEvent } from "../../../src/domain/media/image"
import { WorkerCrashed } from "../../../src/errors/engine"
import { InvalidRequest } from "../../../src/errors/request"
import { pictures, untilAborted } from "../../support/fakes/fake-engine"
import { errorOf, fakeServer, type Json, jsonOf, postRequest, readerOf } from "../../support/http"

const GENERATIONS = "/v1/images/generations"
const EDITS = "/v1/images/edits"
const VARIATIONS = "/v1/images/variations"

const REQUEST = { model: "brush", prompt: "a cat" }
const PICTURE = new File([Uint8Array.of(1, 2, 3)], "in.png")
const MASK = new File([Uint8Array.of(4)], "mask.png")

/** A stream's events, each with the name that stands before its data. */
function namedEvents(text: string): readonly (readonly [name: string, data: Json])[] {
  const frames = text.split("\n\n").filter((frame) => frame !== "" && !frame.startsWith(":"))
  return frames.map((frame) => {
    const [, name = "", data = ""] = /^(?:event: (.*)\n)?data: (.*)$/.exec(frame) ?? []
    return [name, JSON.parse(data) as Json]
  })
}

describe("a generation", () => {
  test("is a URL below the host that was asked, where the image is", async () => {
    const { post, get } = fakeServer()
    const body = await jsonOf(post(GENERATIONS, { ...REQUEST, size: "256x128" }))
    expect(body).toEqual({
      created: expect.any(Number),
      data: [{ url: expect.stringMatching(/^http:\/\/localhost\/images\/[\w-]{32}\.png$/), seed: 7 }],
      size: "256x128",
      output_format: "png",
      background: "opaque",
      quality: "auto",
      usage: { images: 1, steps: 2 },
      timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
    })
    const [{ url } = { url: "" }] = body["data"] as { url: string }[]
    const image = await get(new URL(url).pathname)
    expect([image.status, [...(await image.bytes())]]).toEqual([200, [0]])
  })

  test("is base64 where that is asked for, and then leaves no file", async () => {
    const { post, imagesFolder } = fakeServer()
    const body = await jsonOf(post(GENERATIONS, { ...REQUEST, n: 2, response_format: "b64_json" }))
    expect(body["data"]).toEqual([
      { b64_json: "AA==", seed: 7 },
      { b64_json: "AQ==", seed: 8 },
    ])
    expect(existsSync(imagesFolder)).toBe(false)
  })

  test("that cannot be stored is base64 all the same, with a warning", async () => {
    const { post, imagesFolder, logged } = fakeServer()
    mkdirSync(dirname(imagesFolder), { recursive: true })
    writeFileSync(imagesFolder, "in the way")
    const body = await jsonOf(post(GENERATIONS, { ...REQUEST, n: 2 }))
    expect(body).toMatchObject({
      data: [
        { b64_json: "AA==", seed: 7 },
        { b64_json: "AQ==", seed: 8 },
      ],
      warnings: [expect.stringMatching(/^the server cannot store the image: .*; it is returned as b64_json/)],
    })
    expect(JSON.stringify(body)).not.toContain(imagesFolder)
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({
      level: "warn",
      status: 200,
      code: "storage_failed",
      reason: expect.stringContaining(imagesFolder),
    })
    const stream = await post(GENERATIONS, { ...REQUEST, stream: true, response_format: "url" })
    const [, completed] = namedEvents(await stream.text()).find(([name]) => name.endsWith("completed")) ?? []
    expect(completed).toMatchObject({ b64_json: "AA==", warnings: [expect.stringContaining("cannot store")] })
  })

  test("is asked for with every field", async () => {
    const { post, engine } = fakeServer()
    await post(GENERATIONS, {
      ...REQUEST,
      n: 2,
      size: "512x768",
      output_format: "webp",
      output_compression: 80,
      steps: 20,
      cfg_scale: 7.5,
      seed: 42,
      negative_prompt: "dogs",
      sampler: "euler_a",
      scheduler: "karras",
      quality: "standard",
      style: "vivid",
      background: "opaque",
      moderation: "low",
      user: "me",
      keep_alive: 0,
    })
    expect(engine.drawings[0]?.request).toEqual({
      kind: "image",
      model: "brush",
      prompt: "a cat",
      n: 2,
      width: 512,
      height: 768,
      format: "webp",
      compression: 80,
      steps: 20,
      cfgScale: 7.5,
      seed: 42,
      negativePrompt: "dogs",
      sampler: "euler_a",
      scheduler: "karras",
      preview: false,
      keepAliveSeconds: 0,
      requestId: expect.any(String),
    })
  })

  test("leaves to the model what is not said; a seed of -1 is a random one", async () => {
    const { post, engine } = fakeServer()
    await post(GENERATIONS, { ...REQUEST, size: "auto", seed: -1, output_compression: 100 })
    expect(engine.drawings[0]?.request).toEqual({
      kind: "image",
      model: "brush",
      prompt: "a cat",
      n: 1,
      format: "png",
      preview: false,
      requestId: expect.any(String),
    })
  })

  test("takes seeds of any size: negative ones are random, large ones are folded", async () => {
    const { post, engine } = fakeServer()
    for (const seed of [-7, 2 ** 32 + 9, "9223372036854775807"]) await post(GENERATIONS, { ...REQUEST, seed })
    expect(engine.drawings.map(({ request }) => request.seed)).toEqual([undefined, 9, 0])
  })

  test("has its URLs below server.public_url where that is set", async () => {
    const { post } = fakeServer(undefined, { settings: { publicUrl: "https://example.com/xllm" } })
    const body = await jsonOf(post(GENERATIONS, REQUEST))
    expect(body["data"]).toMatchObject([
      { url: expect.stringMatching(/^https:\/\/example\.com\/xllm\/images\/[\w-]{32}\.png$/) },
    ])
  })

  test("has its URLs at the port that the request was sent to", async () => {
    const { post } = fakeServer()
    const headers = { "content-type": "application/json", host: "127.0.0.1:32769" }
    const body = await jsonOf(post(GENERATIONS, REQUEST, { headers }))
    expect(body["data"]).toMatchObject([
      { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:32769\/images\//) },
    ])
  })

  test("is never compressed: images are", async () => {
    const { app, engine } = fakeServer()
    engine.imageScript = () => pictures({ n: 1, bytes: new Uint8Array(50_000) })
    const request = postRequest(GENERATIONS, { ...REQUEST, response_format: "b64_json" })
    request.headers.set("accept-encoding", "gzip")
    const response = await app.handle(request)
    expect(response.headers.get("content-encoding")).toBeNull()
    expect(response.headers.get("content-type")).toBe("application/json")
    expect(await jsonOf(response)).toMatchObject({ size: "64x64" })
  })
})

describe("a stream of a generation", () => {
  test("tells every step, and brings each image when it is done", async () => {
    const { post } = fakeServer()
    const response = await post(GENERATIONS, { ...REQUEST, n: 2, stream: true })
    expect(response.headers.get("content-type")).toStartWith("text/event-stream")
    const about = {
      created_at: expect.any(Number),
      size: "64x64",
      output_format: "png",
      background: "opaque",
      quality: "auto",
    }
    const type = (name: string) => `image_generation.${name}`
    const expected = [
      { type: type("progress"), image: 0, step: 1, steps: 2 },
      { type: type("progress"), image: 0, step: 2, steps: 2 },
      { type: type("completed"), image: 0, seed: 7, ...about, b64_json: "AA==" },
      { type: type("progress"), image: 1, step: 1, steps: 2 },
      { type: type("progress"), image: 1, step: 2, steps: 2 },
      { type: type("completed"), image: 1, seed: 8, ...about, b64_json: "AQ==" },
      {
        type: type("done"),
        usage: { images: 2, steps: 4 },
        timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
      },
    ]
    const events = namedEvents(await response.text())
    expect(events.map(([, data]) => data)).toEqual(expected)
    expect(events.map(([name]) => name)).toEqual(expected.map(({ type }) => type))
  })

  test("may bring URLs", async () => {
    const { post, imagesFolder } = fakeServer()
    const text = await (await post(GENERATIONS, { ...REQUEST, stream: true, response_format: "url" })).text()
    const [, completed] = namedEvents(text).find(([name]) => name === "image_generation.completed") ?? []
    expect(completed).toMatchObject({ url: expect.stringMatching(/\/images\/[\w-]{32}\.png$/) })
    expect(readdirSync(imagesFolder)).toHaveLength(1)
  })

  test.each([
    [0, []],
    [1, [2]],
    [2, [2, 3]],
    [3, [1, 2, 3]],
  ])("with partial_images %d brings the previews of the steps %j", async (partial_images, steps) => {
    const { post, engine } = fakeServer()
    engine.imageScript = async function* (): AsyncGenerator<ImageEvent> {
      for (const step of [1, 2, 3, 4]) {
        yield { type: "step", image: 0, step, steps: 4, preview: Uint8Array.of(step) }
      }
      yield* pictures({ n: 1 })
    }
    const text = await (await post(GENERATIONS, { ...REQUEST, stream: true, partial_images })).text()
    const partial = namedEvents(text).filter(([name]) => name === "image_generation.partial_image")
    expect(partial.map(([, { b64_json, partial_image_index }]) => [partial_image_index, b64_json])).toEqual(
      steps.map((step, index) => [index, Uint8Array.of(step).toBase64()]),
    )
    expect(engine.drawings[0]?.request.preview).toBe(partial_images > 0)
  })

  test("that fails later on ends with an error event", async () => {
    const { post, engine } = fakeServer()
    engine.imageScript = async function* () {
      yield { type: "step", image: 0, step: 1, steps: 2 }
      throw new WorkerCrashed("brush", "was killed", [])
    }
    const text = await (await post(GENERATIONS, { ...REQUEST, stream: true })).text()
    expect(namedEvents(text).at(-1)?.[1]).toMatchObject({ error: { code: "worker_crashed" } })
  })

  test("that fails before the first step is a plain HTTP error", async () => {
    const { post, engine } = fakeServer()
    engine.imageScript = async function* () {
      yield { type: "queued", position: 1 }
      throw new InvalidRequest("sampler must be one of euler, got x", "sampler")
    }
    const response = post(GENERATIONS, { ...REQUEST, stream: true, sampler: "x" })
    expect(await errorOf(response)).toMatchObject({ status: 400, param: "sampler" })
  })
})

describe("a client that leaves", () => {
  test.each([true, false])("ends the drawing (stream: %p)", async (stream) => {
    const { app, engine } = fakeServer()
    const begun = Promise.withResolvers<void>()
    engine.imageScript = async function* (_request, signal) {
      yield { type: "step", image: 0, step: 1, steps: 2 }
      begun.resolve()
      yield await untilAborted(signal)
    }
    const client = new AbortController()
    const answer = app.handle(postRequest(GENERATIONS, { ...REQUEST, stream }, { signal: client.signal }))
    if (stream) {
      const reader = readerOf(await answer)
      await reader.next()
      await reader.cancel()
    } else {
      await begun.promise
      client.abort()
      expect((await answer).status).toBe(499)
    }
    await engine.drawings[0]?.left
    expect(engine.drawings[0]?.signal.aborted).toBe(true)
  })
})

describe("a generation is refused with the name of the field:", () => {
  test.each([
    [{ prompt: undefined }, "prompt", "prompt is required"],
    [{ prompt: " " }, "prompt", "prompt must not be blank"],
    [{ prompt: "x".repeat(32_001) }, "prompt", "prompt must have at most 32000 characters, got 32001"],
    [{ n: 0 }, "n", "n must be a whole number between 1 and 10, got 0"],
    [{ n: 11 }, "n", "n must be a whole number between 1 and 10, got 11"],
    [{ size: "big" }, "size", 'size must be WIDTHxHEIGHT, such as 512x512, or auto, got "big"'],
    [{ size: "512x" }, "size", 'size must be WIDTHxHEIGHT, such as 512x512, or auto, got "512x"'],
    [{ size: "512x513" }, "size", "size must be WIDTHxHEIGHT, both multiples of 8 between 64 and 4096"],
    [{ size: "56x512" }, "size", "size must be WIDTHxHEIGHT, both multiples of 8 between 64 and 4096"],
    [{ size: "512x4104" }, "size", "size must be WIDTHxHEIGHT, both multiples of 8 between 64 and 4096"],
    [{ size: "4096x2048" }, "size", 'size must be at most 4194304 pixels in all, got "4096x2048"'],
    [{ response_format: "file" }, "response_format", "response_format must be one of url, b64_json"],
    [{ output_format: "gif" }, "output_format", 'output_format must be one of png, jpeg, webp, got "gif"'],
    [
      { output_compression: 101 },
      "output_compression",
      "output_compression must be a whole number between 0",
    ],
    [
      { output_compression: 50 },
      "output_compression",
      "output_compression must come with output_format jpeg",
    ],
    [{ steps: 0 }, "steps", "steps must be a whole number between 1 and 150, got 0"],
    [{ steps: 2.5 }, "steps", "steps must be a whole number between 1 and 150, got 2.5"],
    [{ cfg_scale: -1 }, "cfg_scale", "cfg_scale must be between 0 and 50, got -1"],
    [{ seed: 1.5 }, "seed", "seed must be a whole number"],
    [{ sampler: 5 }, "sampler", "sampler must be a string, got 5"],
    [{ stream: "yes" }, "stream", "stream must be true or false"],
    [{ partial_images: 4 }, "partial_images", "partial_images must be a whole number between 0 and 3, got 4"],
    [{ background: "transparent" }, "background", "background transparent is not supported"],
    [{ quality: "hd" }, "quality", "quality hd is not supported; steps and cfg_scale set the quality"],
    [{ style: "natural" }, "style", "style natural is not supported"],
  ])("%j", async (change, param, message) => {
    const { post, engine } = fakeServer()
    const error = await errorOf(post(GENERATIONS, { ...REQUEST, ...change }))
    expect(error).toMatchObject({ status: 400, param })
    expect(error["message"]).toStartWith(message)
    expect(engine.drawings).toEqual([])
  })
})

describe("an edit", () => {
  test("starts from the picture that was sent, and changes what the mask says", async () => {
    const { postForm, engine } = fakeServer()
    const seen: (Uint8Array | undefined)[] = []
    engine.imageScript = async function* ({ source }) {
      seen.push(await Bun.file(source?.imagePath ?? "").bytes())
      seen.push(await Bun.file(source?.maskPath ?? "").bytes())
      yield* pictures({ n: 1 })
    }
    const parts = { ...REQUEST, image: PICTURE, mask: MASK, strength: "0.5", n: "2", seed: "3", steps: "4" }
    const response = await postForm(EDITS, { ...parts, response_format: "b64_json" })
    expect(await jsonOf(response)).toMatchObject({ data: [{ b64_json: "AA==" }] })
    expect(seen).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(4)])
    expect(engine.drawings[0]?.request).toMatchObject({
      prompt: "a cat",
      n: 2,
      seed: 3,
      steps: 4,
      source: { strength: 0.5 },
    })
  })

  test("without a mask changes all of the picture, three quarters of the way", async () => {
    const { postForm, engine } = fakeServer()
    await postForm(EDITS, { ...REQUEST, "image[]": PICTURE })
    expect(engine.drawings[0]?.request.source).toEqual({
      imagePath: expect.stringMatching(/\.png$/),
      strength: 0.75,
    })
  })

  test("streams under its own names", async () => {
    const { postForm } = fakeServer()
    const text = await (await postForm(EDITS, { ...REQUEST, image: PICTURE, stream: "true" })).text()
    expect(namedEvents(text).map(([name]) => name)).toEqual([
      "image_edit.progress",
      "image_edit.progress",
      "image_edit.completed",
      "image_edit.done",
    ])
  })

  test.each([
    [{ image: undefined }, "image", "image is required"],
    [{ image: [PICTURE, PICTURE] }, "image", "several images are not supported"],
    [{ image: new File([], "a.png") }, "image", "image is empty"],
    [{ mask: new File([], "a.png") }, "mask", "mask is empty"],
    [{ prompt: "" }, "prompt", "prompt is required"],
    [{ strength: "2" }, "strength", "strength must be between 0 and 1, got 2"],
    [{ input_fidelity: "high" }, "input_fidelity", "input_fidelity high is not supported"],
  ])("is refused with the name of the field: %#", async (change, param, message) => {
    const { postForm, engine } = fakeServer()
    const { image, ...rest } = { ...REQUEST, image: PICTURE, ...change }
    const error = await errorOf(postForm(EDITS, { ...rest, ...(image !== undefined && { image }) }))
    expect(error).toMatchObject({ status: 400, param })
    expect(error["message"]).toStartWith(message)
    expect(engine.drawings).toEqual([])
  })

  test("from a web page that may not call the server is refused", async () => {
    const { postForm } = fakeServer()
    const headers = { origin: "https://evil.example" }
    for (const path of [EDITS, VARIATIONS]) {
      expect((await postForm(path, { ...REQUEST, image: PICTURE }, { headers })).status).toBe(403)
    }
  })
})

test("a variation is of the picture alone", async () => {
  const { postForm, engine } = fakeServer()
  const response = await postForm(VARIATIONS, { image: PICTURE, model: "brush", n: "2", size: "128x128" })
  expect(response.status).toBe(200)
  expect(engine.drawings[0]?.request).toMatchObject({
    prompt: "",
    n: 2,
    width: 128,
    source: { imagePath: expect.any(String), strength: 0.75 },
  })
})

test("the log has how much was drawn, and the prompt where content is logged", async () => {
  const { post, logged } = fakeServer(undefined, { settings: { logContent: true } })
  await post(GENERATIONS, REQUEST)
  expect(JSON.parse(logged[0] ?? "")).toMatchObject({
    model: "brush",
    images: 1,
    steps: 2,
    prompts: ["a cat"],
  })
})
