import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync, utimesSync } from "node:fs"
import { join } from "node:path"
import OpenAI from "openai"
import { APIUserAbortError, BadRequestError, toFile } from "openai"
import { writeTinyImageModel } from "../support/files/tiny-image-model"
import { Installation, type InstalledServer } from "../support/installation"
import { until } from "../support/until"

// A step takes a second, and many where others keep the cores busy: pictures give way.
setDefaultTimeout(600_000)

let xllm: Installation
let server: InstalledServer
let client: OpenAI

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyImageModel(join(xllm.models, "painter.safetensors"))
  server = await xllm.serve()
  client = server.client()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

/** The smallest picture there is. `steps` and `cfg_scale` are ours: OpenAI's types do not have them. */
const DRAW = { model: "painter", prompt: "a cat", size: "64x64", steps: 1, cfg_scale: 1, seed: 1 } as const
/** So many steps that nobody could have taken them yet. */
const LONG = { ...DRAW, steps: 150 }

const folder = () => join(xllm.home, ".xllm/images")
const failureOf = (asked: Promise<unknown>) => asked.catch((error: unknown) => error)

/** Width and height in the head of a PNG (https://www.w3.org/TR/png/#11IHDR). */
function sizeOf(png: Uint8Array): readonly [width: number, height: number] {
  const bytes = Buffer.from(png)
  expect(bytes.subarray(1, 4).toString()).toBe("PNG")
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
}

async function urlOf(change: object = {}): Promise<string> {
  const { data } = await client.images.generate({ ...DRAW, ...change, stream: false })
  return data?.[0]?.url ?? ""
}

async function isIdle(): Promise<boolean> {
  return (await server.loaded()).every(({ active_requests }) => active_requests === 0)
}

/** Two that were drawn first, of the same seed. */
let first: string
let again: string

describe("a picture that the executable has drawn", () => {
  test("is at its URL, of the size that was asked for, and the same one for the same seed", async () => {
    first = await urlOf({ size: "128x64" })
    again = await urlOf({ size: "128x64" })
    expect(first).toStartWith(`${server.url}/images/`)
    const [one, two] = [await (await fetch(first)).bytes(), await (await fetch(again)).bytes()]
    expect(sizeOf(one)).toEqual([128, 64])
    expect(Buffer.from(one).equals(two)).toBe(true)
    const head = await fetch(first, { method: "HEAD" })
    expect(head.headers.get("content-length")).toBe(String(one.length))
    const part = await fetch(first, { headers: { range: "bytes=0-7" } })
    expect(part.status).toBe(206)
    expect(await part.bytes()).toEqual(one.slice(0, 8))
  })

  test("may be a WebP", async () => {
    const response = await fetch(await urlOf({ output_format: "webp" }))
    expect(response.headers.get("content-type")).toBe("image/webp")
    expect(
      Buffer.from(await response.bytes())
        .subarray(8, 12)
        .toString(),
    ).toBe("WEBP")
  })

  test("may come as base64, step by step", async () => {
    const request = { ...DRAW, steps: 2, stream: true } as OpenAI.ImageGenerateParamsStreaming
    const types: string[] = []
    let png = ""
    for await (const event of await client.images.generate(request)) {
      types.push(event.type)
      if (event.type === "image_generation.completed") png = event.b64_json
    }
    const expected = ["progress", "progress", "completed", "done"]
    expect(types).toEqual(expected.map((name) => `image_generation.${name}`))
    expect(sizeOf(Buffer.from(png, "base64"))).toEqual([64, 64])
  })

  test("starts another one, and a variation; a mask is not supported", async () => {
    const image = await toFile(await (await fetch(first)).bytes(), "in.png", { type: "image/png" })
    const form = { model: "painter", size: "64x64", response_format: "b64_json", steps: 1, image }
    // OpenAI's types know neither our sizes nor our fields.
    const edit = { ...form, prompt: "a dog", stream: false } as OpenAI.ImageEditParamsNonStreaming
    const edited = await client.images.edit(edit)
    const varied = await client.images.createVariation(form as OpenAI.ImageCreateVariationParams)
    for (const { data } of [edited, varied]) {
      expect(sizeOf(Buffer.from(data?.[0]?.b64_json ?? "", "base64"))).toEqual([64, 64])
    }
    const masked = failureOf(client.images.edit({ ...edit, mask: image }))
    expect(await masked).toMatchObject({ status: 400, code: "unsupported", param: "mask" })
  })

  test("is drawn by the command too, through a server or without one", async () => {
    const flags = ["--size", "128x64", "--steps", "1", "--cfg-scale", "1", "--seed", "1"]
    const remote = await xllm.run(["image", "painter", "a cat", ...flags, "-o", "remote.png"], {
      environment: { XLLM_HOST: server.url },
    })
    expect(remote).toEqual({ out: `${join(xllm.folder, "remote.png")}\n`, err: "", code: 0 })
    const path = join(xllm.models, "painter.safetensors")
    const local = await xllm.run(["image", path, "a cat", ...flags, "-o", "local.png", "--json"])
    expect(JSON.parse(local.out)).toMatchObject({ images: [{ width: 128, height: 64, seed: 1 }], steps: 1 })
    const served = await (await fetch(first)).bytes()
    for (const name of ["remote.png", "local.png"]) {
      expect(readFileSync(join(xllm.folder, name)).equals(served)).toBe(true)
    }
  })
})

describe("when its time is over", () => {
  const nameOf = (url: string) => new URL(url).pathname.replace("/images/", "")

  test("a picture is gone, and its file too once a server starts; others stay across the restart", async () => {
    const then = Date.now() / 1000 - 3601
    utimesSync(join(folder(), nameOf(first)), then, then)
    const gone = await fetch(first)
    expect([gone.status, await gone.json()]).toMatchObject([404, { error: { code: "image_not_found" } }])
    expect((await fetch(again)).status).toBe(200)
    await using later = await xllm.serve()
    expect(readdirSync(folder())).not.toContain(nameOf(first))
    expect((await later.get(new URL(first).pathname)).status).toBe(404)
    expect((await later.get(new URL(again).pathname)).status).toBe(200)
  })
})

describe("a request for a picture", () => {
  test.each([
    [{ sampler: "magic" }, "sampler"],
    [{ scheduler: "magic" }, "scheduler"],
    [{ size: "100x100" }, "size"],
    [{ steps: 0 }, "steps"],
    [{ background: "transparent" }, "background"],
  ])("with %j is refused", async (change, param) => {
    const failure = await failureOf(urlOf(change))
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(failure).toMatchObject({ param })
  })

  test("that is given up ends at once, and the next one is drawn", async () => {
    const controller = new AbortController()
    const asked = failureOf(client.images.generate({ ...LONG, stream: false }, { signal: controller.signal }))
    await until(async () => !(await isIdle()))
    controller.abort()
    expect(await asked).toBeInstanceOf(APIUserAbortError)
    await until(isIdle)
    expect(await urlOf()).toStartWith("http")
  })
})

describe.skipIf(process.platform !== "linux")("kill -9", () => {
  /** The process that draws: the worker's child. */
  function sidecarOf(worker: number): number {
    return Number(readFileSync(`/proc/${worker}/task/${worker}/children`, "utf8").trim().split(" ")[0])
  }

  test.each([
    ["the painter's worker", (worker: number) => worker],
    ["the process that draws", sidecarOf],
  ])(
    "of %s ends its streams with an error event; the server lives, and the next picture is drawn",
    async (_what, victim) => {
      const response = await server.post("/v1/images/generations", { ...LONG, stream: true })
      let text = ""
      for await (const bytes of response.body ?? []) {
        const isFirst = !text.includes("progress")
        text += new TextDecoder().decode(bytes)
        if (isFirst && text.includes("progress"))
          process.kill(victim(await server.worker("painter")), "SIGKILL")
      }
      expect(text.trimEnd().split("\n").at(-1)).toMatch(/^data: \{"error":\{.*"code":"worker_crashed"/)
      expect(await urlOf()).toStartWith("http")
      expect((await server.get("/v0/health")).status).toBe(200)
    },
  )
})
