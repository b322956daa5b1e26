import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test"
import { type Listener, listen } from "../../src/http/server/listen"
import { answer, FakeEngine, RECOGNIZER_MODEL, speech, VOICE_MODEL } from "../support/fakes/fake-engine"
import { fakeServer } from "../support/http"
import { browserTest, checkAccess, TestBrowser } from "./browser"

setDefaultTimeout(120_000)

const engine = new FakeEngine(() => answer(["The first sentence is here. ", "The second one too."]))
let listener: Listener
let browser: TestBrowser

beforeAll(async () => {
  engine.mediaModels = [VOICE_MODEL, RECOGNIZER_MODEL]
  listener = await listen(fakeServer(undefined, { engine }).app, { host: "127.0.0.1", port: 0 })
  browser = await TestBrowser.start([
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
  ])
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await listener.close()
})

describe("voice (Chromium)", () => {
  browserTest("what is said becomes text in the message, which stays one's own to send", async () => {
    const { page, problems } = await browser.visit(listener.url, { permissions: ["microphone"] })
    await page.getByRole("textbox", { name: "Message" }).fill("I said:")
    await page.getByRole("button", { name: "Dictate" }).click()
    await page.getByRole("button", { name: "Stop and transcribe" }).click()
    await page.getByRole("button", { name: "Dictate" }).waitFor()
    expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe("I said: Hello world.")
    expect(engine.transcriptions[0]?.request).toMatchObject({ model: RECOGNIZER_MODEL.name })
    expect(engine.calls).toEqual([])
    expect(problems).toEqual([])
  })

  browserTest("an answer is read aloud sentence by sentence, and stops being read at its end", async () => {
    const rest = Promise.withResolvers<void>()
    engine.speechScript = async function* ({ input }) {
      if (input.startsWith("The second")) await rest.promise
      // Pieces that end within a sample.
      yield* speech([new Array(801).fill(0), new Array(799).fill(0)], "audio/pcm")
    }
    const { page, problems } = await browser.visit(listener.url)
    await page.getByRole("textbox", { name: "Message" }).fill("Tell me")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Read aloud" }).click()
    await page.getByRole("button", { name: "Stop reading" }).waitFor()
    rest.resolve()
    await page.getByRole("button", { name: "Read aloud" }).waitFor()
    expect(engine.speeches.map(({ request }) => [request.input, request.format])).toEqual([
      ["The first sentence is here.", "pcm"],
      ["The second one too.", "pcm"],
    ])
    expect(problems).toEqual([])
  })

  browserTest("the settings name what is installed", async () => {
    const { page, problems } = await browser.visit(`${listener.url}/#/settings`)
    await page.getByLabel("Voice", { exact: true }).waitFor()
    await page.getByLabel("Speech-to-text model").waitFor()
    await checkAccess(page)
    await page.getByRole("radio", { name: "日本語" }).check()
    await page.getByRole("heading", { name: "設定" }).waitFor()
    expect(await page.evaluate<string>("document.documentElement.lang")).toBe("ja")
    await page.getByRole("radio", { name: "ダーク" }).check()
    await checkAccess(page)
    await page.reload()
    await page.getByRole("heading", { name: "設定" }).waitFor()
    expect(await page.evaluate<string>("document.documentElement.dataset.theme")).toBe("dark")
    expect(problems).toEqual([])
  })
})
