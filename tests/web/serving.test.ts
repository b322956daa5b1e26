import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Installation, type InstalledServer } from "../support/installation"
import { browserTest, checkAccess, TestBrowser } from "./browser"

setDefaultTimeout(120_000)

/** In bytes, as browsers get it by plain HTTP from another machine. */
const FIRST_VIEW_BYTES = 80_000

let xllm: Installation
let server: InstalledServer
let browser: TestBrowser

beforeAll(async () => {
  xllm = await Installation.create()
  server = await xllm.serve([], { environment: { XLLM_API_KEY: "the-key" } })
  browser = await TestBrowser.start()
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

const gzipped = { headers: { accept: "text/html", "accept-encoding": "gzip" }, decompress: false }

test("the executable has the page, and its first view is small", async () => {
  const page = await server.get("/", gzipped)
  expect(page.headers.get("content-encoding")).toBe("gzip")
  const bytes = new Uint8Array(await page.arrayBuffer())
  const text = new TextDecoder().decode(Bun.gunzipSync(bytes))
  const paths = [...text.matchAll(/(?:src|href)="(\/ui\/[^"]+)"/g)].map((match) => match[1] ?? "")
  expect(paths.length).toBeGreaterThan(2)
  let total = bytes.length
  for (const path of paths) total += (await (await server.get(path, gzipped)).arrayBuffer()).byteLength
  expect(total).toBeLessThanOrEqual(FIRST_VIEW_BYTES)
})

describe("the page in a browser (Chromium)", () => {
  browserTest("asks for the key, says when it is wrong, and works with the right one", async () => {
    const { page, foreign } = await browser.visit(`${server.url}/#/server`)
    const dialog = page.getByRole("dialog")
    await dialog.getByLabel("Key").fill("wrong")
    await page.keyboard.press("Enter")
    await dialog.getByText("does not accept").waitFor()
    await checkAccess(page)
    await dialog.getByLabel("Key").fill("the-key")
    await page.keyboard.press("Enter")
    await dialog.waitFor({ state: "detached" })
    await page.getByRole("heading", { name: "Server", exact: true }).waitFor()
    // Never in an address, and gone with the tab.
    expect(page.url()).not.toContain("the-key")
    expect(await page.evaluate<number>("localStorage.length + document.cookie.length")).toBe(0)
    expect(foreign).toEqual([])
  })
})
