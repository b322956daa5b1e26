import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test"
import { join } from "node:path"
import { FakeHub } from "../support/fakes/fake-hub"
import { tinyModelBytes } from "../support/fakes/pull-scene"
import { writeTinyImageModel } from "../support/files/tiny-image-model"
import { Installation, type InstalledServer } from "../support/installation"
import { browserTest, checkAppearance, TestBrowser, type Visit } from "./browser"

setDefaultTimeout(180_000)

let xllm: Installation
let hub: FakeHub
let server: InstalledServer
let browser: TestBrowser

beforeAll(async () => {
  xllm = await Installation.create()
  hub = await FakeHub.start()
  hub.repositories["org/small"] = { files: { "small-Q4_K_M.gguf": tinyModelBytes() } }
  browser = await TestBrowser.start()
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

async function start(): Promise<void> {
  server = await xllm.serve([], { environment: { HF_ENDPOINT: hub.url } })
}

/** A page of the view, which closes without errors of its own. */
async function visiting(view: string, look: (visit: Visit) => Promise<void>): Promise<void> {
  const visit = await browser.visit(`${server.url}/#/${view}`)
  await look(visit)
  expect(visit.problems).toEqual([])
  expect(visit.foreign).toEqual([])
  await visit.page.context().close()
}

describe("the views in a browser (Chromium)", () => {
  browserTest("say what to do where there are no models", async () => {
    await start()
    await visiting("models", async ({ page }) => {
      await page.getByText("There are no models yet").waitFor()
      await checkAppearance(page, "models-empty")
    })
  })

  browserTest("download a model, show it, copy and delete it", async () => {
    await visiting("models", async ({ page }) => {
      await page.getByLabel("Name of a model").fill("org/small")
      await page.keyboard.press("Enter")
      await page.getByText("downloaded", { exact: true }).waitFor()
      await page.getByRole("link", { name: "org/small", exact: false }).click()
      await page.getByRole("heading", { level: 1, name: "org/small" }).waitFor()
      await page.getByText("llama", { exact: true }).first().waitFor()
      await checkAppearance(page, "model-details")
      await page.getByRole("button", { name: "Copy" }).click()
      await page.getByLabel("Name of the copy").fill("mine")
      await page.keyboard.press("Enter")
      await page.getByText("Copied to mine").waitFor()
      await page.goto(`${server.url}/#/models`)
      await page.getByRole("button", { name: /Actions for mine/ }).click()
      await page.getByRole("menuitem", { name: "Delete" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
      await page.getByText(/mine\S* is deleted/).waitFor()
      await page.getByRole("link", { name: /^mine/ }).waitFor({ state: "detached" })
    })
  })

  browserTest("show a failed download with its reason", async () => {
    await visiting("models", async ({ page }) => {
      await page.getByLabel("Name of a model").fill("org/none")
      await page.keyboard.press("Enter")
      await page.getByText("failed", { exact: true }).waitFor()
      await page.getByRole("button", { name: "Remove from the list: org/none" }).click()
      await page.getByText("org/none", { exact: true }).waitFor({ state: "detached" })
    })
  })

  browserTest("make a model of a Modelfile, with errors at their lines", async () => {
    await visiting("models/~new", async ({ page }) => {
      await page.getByLabel("Name", { exact: true }).fill("brief")
      await page.getByLabel("Modelfile").fill("FROM org/small\nPARAMETER temperature hot\n")
      await page.getByText("1 error").waitFor()
      await page.getByRole("button", { name: /Line 2/ }).click()
      expect(await page.evaluate<string>("getSelection().toString()")).toContain("temperature hot")
      await checkAppearance(page, "modelfile")
      await page.getByLabel("Modelfile").fill("FROM org/small\nPARAMETER temperature 0.5\nSYSTEM Be brief.\n")
      await page.getByText("No errors").waitFor()
      await page.getByRole("button", { name: "Create" }).click()
      await page.getByRole("heading", { level: 1, name: "brief" }).waitFor()
      await page.getByText("Be brief.", { exact: true }).waitFor()
    })
  })

  browserTest("watch the server, stop a request and unload a model", async () => {
    const chat = server.chat({ model: "brief", stream: true, max_tokens: 400, ignore_eos: true })
    await visiting("server", async ({ page }) => {
      await page.getByRole("heading", { name: "Loaded models" }).waitFor()
      await (await chat).text()
      await page.getByRole("link", { name: /brief/ }).waitFor()
      await page.getByText("was loaded").first().waitFor()
      await checkAppearance(page, "server")
      await page.getByRole("button", { name: /Unload: brief/ }).click()
      await page.getByText("was unloaded").first().waitFor()
      await page.getByRole("link", { name: "Settings", exact: true }).last().click()
      await page.getByLabel("Search the settings").fill("huggingface_endpoint")
      await page.getByText("pull.huggingface_endpoint").waitFor()
      await page.getByText("environment", { exact: false }).first().waitFor()
      await checkAppearance(page, "server-settings")
      await page.getByRole("link", { name: "Log", exact: true }).click()
      await page.getByText("model loaded").first().waitFor()
      await checkAppearance(page, "server-log")
    })
  })

  browserTest("draw a picture, show its steps, and begin with it", async () => {
    writeTinyImageModel(join(xllm.models, "painter.safetensors"))
    await visiting("images", async ({ page }) => {
      await page.getByLabel("Prompt", { exact: true }).fill("a cat")
      await page.getByLabel("Size").fill("64x64")
      await page.getByLabel("Steps").fill("1")
      await page.getByLabel("Guidance").fill("1")
      await page.getByRole("button", { name: "Draw" }).click()
      await page.getByRole("img", { name: "a cat" }).waitFor({ timeout: 150_000 })
      await page.getByRole("button", { name: "Draw" }).waitFor()
      await checkAppearance(page, "images")
      await page.getByRole("button", { name: "Edit" }).click()
      await page.getByRole("img", { name: "Begin with a picture" }).waitFor()
      await page.reload()
      await page.getByRole("img", { name: "a cat" }).waitFor()
    })
  })
})
