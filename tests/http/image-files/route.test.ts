import { describe, expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { errorOf, fakeServer, type FakeServerOptions } from "../../support/http"

const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251)
const GONE = { status: 404, code: "image_not_found", type: "invalid_request_error" }

/** A server with one image. */
async function imageServer(options: FakeServerOptions = {}) {
  let movedMs = 0
  const server = fakeServer(undefined, { ...options, now: () => Date.now() + movedMs })
  const name = await server.images.add(BYTES, "png")
  const fetchImage = (headers: Record<string, string> = {}, method = "GET") =>
    server.get(`/images/${name}`, { headers, method })
  return { ...server, name, fetchImage, pass: (ms: number) => void (movedMs += ms) }
}

const header = (response: Response, name: string) => response.headers.get(name)

describe("an image", () => {
  test("is sent with its type, its age and a tag", async () => {
    const { fetchImage } = await imageServer()
    const response = await fetchImage()
    expect(response.status).toBe(200)
    expect(await response.bytes()).toEqual(BYTES)
    expect(header(response, "content-type")).toBe("image/png")
    expect(header(response, "x-content-type-options")).toBe("nosniff")
    expect(header(response, "accept-ranges")).toBe("bytes")
    expect(header(response, "etag")).toMatch(/^"[\w-]+"$/)
    expect(header(response, "last-modified")).toMatch(/ GMT$/)
  })

  test("may be kept by caches for the time that it has left", async () => {
    const { fetchImage, pass } = await imageServer()
    pass(1000_000)
    const maxAge = /^public, max-age=(\d+), immutable$/.exec(
      header(await fetchImage(), "cache-control") ?? "",
    )
    expect(Number(maxAge?.[1])).toBeGreaterThan(2590)
    expect(Number(maxAge?.[1])).toBeLessThanOrEqual(2600)
  })

  test("has a head without a body", async () => {
    const { fetchImage } = await imageServer()
    const response = await fetchImage({}, "HEAD")
    expect(header(response, "content-type")).toBe("image/png")
    expect(header(response, "content-length")).toBe("1000")
    expect(await response.text()).toBe("")
  })

  test("is not sent again to who has it", async () => {
    const { fetchImage } = await imageServer()
    const tag = header(await fetchImage(), "etag") ?? ""
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const response = await fetchImage({ "if-none-match": known })
      expect([response.status, await response.text(), header(response, "etag")]).toEqual([304, "", tag])
    }
    expect((await fetchImage({ "if-none-match": '"other"' })).status).toBe(200)
  })

  test("is not compressed", async () => {
    const { fetchImage } = await imageServer()
    expect(header(await fetchImage({ "accept-encoding": "gzip" }), "content-encoding")).toBeNull()
  })

  test("needs no key, and can be shown by pages", async () => {
    const { fetchImage, post } = await imageServer({ settings: { apiKeys: ["secret"] } })
    expect((await fetchImage()).status).toBe(200)
    expect((await post("/v1/images/generations", {})).status).toBe(401)
  })
})

describe("a part of an image", () => {
  test.each([
    ["bytes=0-0", 0, 0],
    ["bytes=10-19", 10, 19],
    ["bytes=990-", 990, 999],
    ["bytes=990-5000", 990, 999],
    ["bytes=-10", 990, 999],
    ["bytes=-5000", 0, 999],
  ])("is sent for %s", async (range, start, end) => {
    const { fetchImage } = await imageServer()
    const response = await fetchImage({ range })
    expect(response.status).toBe(206)
    expect(header(response, "content-range")).toBe(`bytes ${start}-${end}/1000`)
    expect(await response.bytes()).toEqual(BYTES.slice(start, end + 1))
  })

  test.each(["bytes=1000-", "bytes=5000-6000", "bytes=-0"])("that is not there: %s", async (range) => {
    const { fetchImage } = await imageServer()
    const response = await fetchImage({ range })
    expect([response.status, header(response, "content-range")]).toEqual([416, "bytes */1000"])
  })

  test.each(["bytes=5-1", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "bytes=-", ""])(
    "that makes no sense is the whole: %s",
    async (range) => {
      const { fetchImage } = await imageServer()
      const response = await fetchImage({ range })
      expect([response.status, (await response.bytes()).length]).toEqual([200, 1000])
    },
  )

  test("goes on only with the same image", async () => {
    const { fetchImage } = await imageServer()
    const tag = header(await fetchImage(), "etag") ?? ""
    expect((await fetchImage({ range: "bytes=0-9", "if-range": tag })).status).toBe(206)
    expect((await fetchImage({ range: "bytes=0-9", "if-range": '"other"' })).status).toBe(200)
  })
})

describe("an image that is not there", () => {
  test("is a 404 in JSON once its time is over", async () => {
    const { fetchImage, pass } = await imageServer()
    expect((await fetchImage()).status).toBe(200)
    pass(3600_000)
    expect(await errorOf(fetchImage())).toMatchObject(GONE)
    expect((await fetchImage({}, "HEAD")).status).toBe(404)
  })

  test.each([
    "",
    "x.png",
    "../uploads/x",
    "..%2f..%2fetc%2fpasswd",
    "%00.png",
    `${"a".repeat(32)}.png`,
    `${"a".repeat(32)}.gif`,
  ])("is a 404 in JSON: %j", async (name) => {
    const { get } = await imageServer()
    expect(await errorOf(get(`/images/${name}`))).toMatchObject({ status: 404 })
  })

  test("cannot be deleted from outside", async () => {
    const { fetchImage } = await imageServer()
    const response = await fetchImage({}, "DELETE")
    expect([response.status, header(response, "allow")]).toEqual([405, "GET, HEAD"])
  })
})

test("an image that is deleted while it is sent is sent whole", async () => {
  const { fetchImage, imagesFolder, name } = await imageServer()
  const response = await fetchImage()
  rmSync(join(imagesFolder, name))
  expect(await response.bytes()).toEqual(BYTES)
})
