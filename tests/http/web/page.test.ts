import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "bun:test"
import { listen } from "../../../src/http/server/listen"
import { UserPage } from "../../../src/http/web/user-page"
import { errorOf, fakeServer } from "../../support/http"
import { tempFolder } from "../../support/temp-folder"

const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" }
const POLICY = "content-security-policy"

/** The paths of the page's script and style sheet. */
async function filesOf(page: Response): Promise<readonly string[]> {
  const text = await page.text()
  return [...text.matchAll(/(?:src|href)="(\/ui\/[^"]+)"/g)].map((match) => match[1] ?? "")
}

describe("the page", () => {
  test("is what browsers get, and nobody else", async () => {
    const { get } = fakeServer()
    const page = await get("/", { headers: BROWSER })
    expect(page.headers.get("content-type")).toBe("text/html;charset=utf-8")
    expect(page.headers.get("vary")).toContain("Accept")
    expect(await page.text()).toStartWith("<!doctype html>")
    expect(await (await get("/", { headers: { accept: "*/*" } })).text()).toBe("Ollama is running")
    expect((await get("/ui")).status).toBe(200)
    expect((await get("/ui/")).status).toBe(200)
  })

  test("forbids all scripts but its own files, and every other origin", async () => {
    const { get } = fakeServer()
    const { headers } = await get("/", { headers: BROWSER })
    const rules = (headers.get(POLICY) ?? "").split("; ")
    expect(rules).toContain("default-src 'none'")
    expect(rules).toContain("script-src 'self'")
    expect(rules).toContain("connect-src 'self'")
    expect(rules).toContain("require-trusted-types-for 'script'")
    expect(rules).toContain("trusted-types 'none'")
    expect(rules.join()).not.toMatch(/unsafe|https?:|\*/)
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("referrer-policy")).toBe("no-referrer")
  })

  test("has no script or style in its text", async () => {
    const { get } = fakeServer()
    const text = await (await get("/ui")).text()
    expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bon\w+=|style=/)
  })

  test("asks for files that are kept for ever under their names", async () => {
    const { get } = fakeServer()
    const paths = await filesOf(await get("/ui"))
    expect(paths.length).toBeGreaterThan(1)
    for (const path of paths) {
      const file = await get(path)
      expect([path, file.status, file.headers.get("cache-control")]).toEqual([
        path,
        200,
        "public, max-age=31536000, immutable, no-transform",
      ])
    }
    expect(await errorOf(get("/ui/none-12345678.js"))).toMatchObject({ status: 404, code: "not_found" })
    expect(await errorOf(get("/ui/index.html/x"))).toMatchObject({ status: 404 })
  })

  test("is sent in the smallest form that a client takes", async () => {
    const { get } = fakeServer()
    const [path = ""] = await filesOf(await get("/ui"))
    const plain = await (await get(path)).text()
    const codingOf = async (accepted: string) => {
      const response = await get(path, { headers: { "accept-encoding": accepted } })
      return [
        response.headers.get("content-encoding"),
        (await response.arrayBuffer()).byteLength < plain.length,
      ]
    }
    expect(await codingOf("gzip, deflate, br, zstd")).toEqual(["br", true])
    expect(await codingOf("gzip, deflate")).toEqual(["gzip", true])
    expect(await codingOf("br;q=0, gzip")).toEqual(["gzip", true])
    expect(await codingOf("identity")).toEqual([null, false])
  })

  test("is not sent again to those who have it, in whatever form", async () => {
    const { get } = fakeServer()
    const tagOf = async (accepted: string) =>
      (await get("/ui", { headers: { "accept-encoding": accepted } })).headers.get("etag") ?? ""
    const [plain, gzip, br] = await Promise.all([tagOf("identity"), tagOf("gzip"), tagOf("br")])
    expect(plain).toMatch(/^"[0-9a-f]{20}"$/)
    expect(new Set([plain, gzip, br]).size).toBe(3)
    for (const tag of [plain, gzip, `W/${br}`, `"other", ${br}`, "*"]) {
      const again = await get("/ui", { headers: { "if-none-match": tag } })
      expect([tag, again.status, await again.text()]).toEqual([tag, 304, ""])
    }
    expect((await get("/ui", { headers: { "if-none-match": '"other"' } })).status).toBe(200)
  })

  test("answers HEAD with the length", async () => {
    const { app } = fakeServer()
    const listener = await listen(app, { host: "127.0.0.1", port: 0 })
    try {
      const headers = { "accept-encoding": "gzip" }
      const head = await fetch(`${listener.url}/ui`, { method: "HEAD", headers })
      const whole = await fetch(`${listener.url}/ui`, { headers })
      expect(Number(head.headers.get("content-length"))).toBeGreaterThan(100)
      expect(head.headers.get("content-length")).toBe(whole.headers.get("content-length"))
    } finally {
      await listener.close()
    }
  })

  test("is open on a server with keys, and asks for one itself; other clients still need one", async () => {
    const { get } = fakeServer(undefined, { settings: { apiKeys: ["key"] } })
    const page = await get("/", { headers: BROWSER })
    expect(page.status).toBe(200)
    for (const path of await filesOf(page)) expect((await get(path)).status).toBe(200)
    expect((await get("/")).status).toBe(401)
    expect((await get("/v0/models")).status).toBe(401)
    expect((await get("/v0/events")).status).toBe(401)
  })

  test("is not there for a name that was made to point here", async () => {
    const { get } = fakeServer()
    expect(await errorOf(get("/", { headers: { ...BROWSER, host: "evil.example" } }))).toMatchObject({
      status: 403,
      code: "host_not_allowed",
    })
  })

  test("can be left out while the server runs", async () => {
    const { get, change } = fakeServer()
    expect((await get("/ui")).status).toBe(200)
    change({ web: false })
    expect(await (await get("/", { headers: BROWSER })).text()).toBe("xLLM 1.2.3 is running\n")
    expect(await errorOf(get("/ui"))).toMatchObject({ status: 404 })
  })
})

describe("a page of the user's", () => {
  async function scene() {
    const folder = tempFolder()
    const page = join(folder.path, "page")
    mkdirSync(join(page, "sub dir"), { recursive: true })
    writeFileSync(join(page, "index.html"), "<h1>mine</h1>")
    writeFileSync(join(page, "sub dir", "a b.txt"), "hello")
    writeFileSync(join(page, ".secret"), "secret")
    writeFileSync(join(folder.path, "outside.txt"), "outside")
    return { folder, page, userPage: await UserPage.open(page) }
  }

  test("is at /, and ours at /ui", async () => {
    const { folder, userPage } = await scene()
    using _folder = folder
    const { get, post } = fakeServer(undefined, { userPage, settings: { apiKeys: ["key"] } })
    expect(await (await get("/")).text()).toBe("<h1>mine</h1>")
    expect(await (await get("/index.html")).text()).toBe("<h1>mine</h1>")
    const text = await get("/sub%20dir/a%20b.txt")
    expect([text.headers.get("content-type"), await text.text()]).toEqual([
      "text/plain;charset=utf-8",
      "hello",
    ])
    expect((await get("/ui")).headers.has(POLICY)).toBe(true)
    expect((await get("/v1/models")).status).toBe(401)
    const headers = { authorization: "Bearer key", "content-type": "application/json" }
    expect(await errorOf(get("/v1/chat/completions", { headers }))).toMatchObject({ status: 405 })
    expect(await errorOf(post("/nothing", {}, { headers }))).toMatchObject({ status: 404 })
  })

  test.each([
    "/.secret",
    "/nothing",
    "/..%2foutside.txt",
    "/%2e%2e%2foutside.txt",
    "/..%252foutside.txt",
    "/sub%20dir/..%2f..%2foutside.txt",
    "/..%5coutside.txt",
    "/sub%20dir",
    "/index.html%00",
    "/%ff",
  ])("has no %s", async (path) => {
    const { folder, userPage } = await scene()
    using _folder = folder
    const response = await fakeServer(undefined, { userPage }).get(path)
    expect([response.status, await response.text()]).toEqual([404, expect.not.stringContaining("outside\n")])
  })

  test("is sent as it is now, and not again to those who have it", async () => {
    const { folder, page, userPage } = await scene()
    using _folder = folder
    const { get } = fakeServer(undefined, { userPage })
    const tag = (await get("/")).headers.get("etag") ?? ""
    expect(tag).toMatch(/^"[0-9a-f]+-[0-9a-f]+"$/)
    expect((await get("/", { headers: { "if-none-match": tag } })).status).toBe(304)
    writeFileSync(join(page, "index.html"), "<h1>mine, and longer than before</h1>")
    writeFileSync(join(page, "new.html"), "<h1>new</h1>")
    const changed = await get("/", { headers: { "if-none-match": tag } })
    expect([changed.status, await changed.text()]).toEqual([200, "<h1>mine, and longer than before</h1>"])
    expect(await (await get("/new.html")).text()).toBe("<h1>new</h1>")
  })

  test("must be a folder", async () => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, "file"), "")
    expect(UserPage.open(join(folder.path, "file"))).rejects.toThrow("is not a folder")
    expect(UserPage.open(join(folder.path, "none"))).rejects.toThrow("the folder of the page cannot be read")
  })
})
