import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout } from "bun:test"
import type { Page } from "playwright-core"
import type { GenerationEvent } from "../../src/domain/chat"
import { WorkerCrashed } from "../../src/errors/engine"
import { type Listener, listen } from "../../src/http/server/listen"
import { answer, done, FakeEngine, type Script, token, untilAborted } from "../support/fakes/fake-engine"
import { fakeServer } from "../support/http"
import { until } from "../support/until"
import { browserTest, checkAccess, checkAppearance, TestBrowser, type Visit } from "./browser"

setDefaultTimeout(120_000)

const engine = new FakeEngine()
let listener: Listener
let browser: TestBrowser
let url: string
let script: Script

beforeAll(async () => {
  engine.script = (request, signal) => script(request, signal)
  listener = await listen(fakeServer(undefined, { engine }).app, { host: "127.0.0.1", port: 0 })
  url = listener.url
  browser = await TestBrowser.start()
})

beforeEach(() => {
  engine.models = ["tiny", "other"]
  engine.calls.length = 0
  script = () => answer(["Hello", " world"])
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await listener.close()
})

/** Everything that a model could try. */
const HOSTILE = `<script>window.ran = 1</script>
<img src=x onerror="window.ran = 1"> <iframe src="https://example.org"></iframe>

![picture](https://example.org/a.png) ![own](/v0/health)

[good](https://example.org/) [bad](javascript:window.ran=1) <https://user@example.org/>

| a | b |
|---|---|
| 1 | 2 |

\`\`\`html
<script>window.ran = 1</script>
\`\`\`

${"long".repeat(2000)}

${"> ".repeat(50)}deep

$\\href{javascript:window.ran=1}{x}$

turned \u202e around`

describe("the chat (Chromium)", () => {
  browserTest("without models says how to get one", async () => {
    engine.models = []
    const { page, problems } = await browser.visit(url)
    await page.getByRole("heading", { name: "No models yet" }).waitFor()
    expect(await page.getByRole("link", { name: "Get a model" }).getAttribute("href")).toBe("#/models")
    await checkAccess(page)
    expect(problems).toEqual([])
  })

  browserTest("answers, regenerates, changes a question, and keeps all versions over a reload", async () => {
    const visit = await browser.visit(url)
    const { page } = visit
    await send(page, "First question")
    await settled(page)
    expect(await page.getByRole("article").allInnerTexts()).toEqual([
      expect.stringContaining("First question"),
      expect.stringContaining("Hello world"),
    ])
    await page.getByText("2 tokens · 10.0 tokens/s").waitFor()

    script = () => answer(["Another", " answer"])
    await page.getByRole("button", { name: "Regenerate" }).click()
    await page.getByRole("group", { name: "Version 2 of 2" }).waitFor()
    await page.getByText("Another answer").waitFor()
    await page.getByRole("button", { name: "Previous version" }).click()
    await page.getByText("Hello world").waitFor()

    script = () => answer(["To", " the changed one"])
    await page.getByRole("article").first().hover()
    await page.getByRole("button", { name: "Edit" }).first().click()
    await page.getByLabel("Edit message").fill("Changed question")
    await page.getByRole("button", { name: "Send as new version" }).click()
    await page.getByText("To the changed one").waitFor()
    await settled(page)
    expect(engine.lastRequest).toMatchObject({ messages: [{ role: "user", content: "Changed question" }] })

    await until(async () => (await kept(page, "messages")).includes("To the changed one"))
    await page.reload()
    await page.getByText("To the changed one").waitFor()
    await page.getByRole("article").first().hover()
    await page.getByRole("button", { name: "Previous version" }).first().click()
    await page.getByText("Another answer").or(page.getByText("Hello world")).waitFor()
    expectClean(visit)
  })

  browserTest("stops an answer, keeps what came, and goes on from there", async () => {
    script = async function* (_, signal) {
      yield* begun("As far as this")
      await untilAborted(signal)
    }
    const visit = await browser.visit(url)
    const { page } = visit
    await send(page, "Go on for ever")
    await page.getByText("As far as this").waitFor()
    await page.getByRole("button", { name: "Stop" }).click()
    await page.getByText("Stopped.").waitFor()
    await engine.calls[0]?.left
    expect(engine.calls[0]?.signal.aborted).toBe(true)

    script = () => answer([" and further"])
    await page.getByRole("button", { name: "Continue" }).click()
    await page.getByText("As far as this and further").waitFor()
    expect(engine.lastRequest).toMatchObject({
      continueFinalMessage: true,
      messages: [{ role: "user" }, { role: "assistant", content: "As far as this" }],
    })
    expectClean(visit)
  })

  browserTest("shows what a model writes as text, whatever it is", async () => {
    script = () => answer(HOSTILE.match(/[^]{1,17}/g) ?? [])
    const visit = await browser.visit(url)
    const { page } = visit
    await send(page, "Do your worst")
    await settled(page)
    const text = await page.getByRole("article").last().innerText()
    for (const part of [
      "<script>window.ran = 1</script>",
      "onerror=",
      "https://example.org/a.png",
      "⟨U+202E⟩",
    ])
      expect(text).toContain(part)
    const found = await page.evaluate<unknown>(`[
      window.ran,
      document.querySelectorAll("article :is(img, script, iframe)").length,
      [...document.querySelectorAll("article a")].map(({ href }) => href),
      document.querySelectorAll("article td").length,
    ]`)
    expect(found).toEqual([undefined, 0, ["https://example.org/"], 2])
    await checkAccess(page)
    expectClean(visit)
  })

  browserTest("says why an answer failed, and keeps what was asked and typed", async () => {
    script = async function* () {
      yield* begun("A beginning")
      throw new WorkerCrashed("tiny", "was killed", [])
    }
    const { page } = await browser.visit(url)
    await send(page, "Will it fail?")
    await page.getByRole("alert").filter({ hasText: "The answer failed" }).waitFor()
    await page.getByText("A beginning").waitFor()
    await page.getByRole("textbox", { name: "Message" }).fill("half a thought")
    await until(async () => (await kept(page, "messages")).includes("worker_crashed"))
    await page.reload()
    await page.getByText("Will it fail?").first().waitFor()
    expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe("half a thought")
  })

  browserTest("runs its own tools, and asks for the results of others", async () => {
    script = (request) =>
      request.kind === "chat" && request.messages.some(({ role }) => role === "tool")
        ? answer(["It is 42."])
        : called("calculator", '{"expression":"(3.5+2)*4+20"}')
    const visit = await browser.visit(url)
    const { page } = visit
    await page.getByRole("button", { name: "Parameters" }).click()
    await page.getByRole("switch", { name: "Calculator" }).check()
    await send(page, "How much?")
    await page.getByText("It is 42.").waitFor()
    expect(engine.lastRequest).toMatchObject({
      messages: [{ role: "user" }, { role: "assistant" }, { role: "tool", content: "42", toolCallId: "c1" }],
    })
    await settled(page)

    await page.getByLabel("Own tools").fill('[{"name":"weather"}]')
    script = (request) =>
      request.kind === "chat" && request.messages.at(-1)?.role === "tool"
        ? answer(["Sunny then."])
        : called("weather", "{}")
    await send(page, "And the weather?")
    await page.getByLabel("Result of weather").fill("sunny")
    await page.getByRole("button", { name: "Send result" }).click()
    await page.getByText("Sunny then.").waitFor()
    expectClean(visit)
  })

  browserTest("folds what a model thinks, and leaves readers where they are", async () => {
    const rest = Promise.withResolvers<void>()
    script = async function* () {
      yield { type: "prompt", tokens: 5 }
      yield { type: "part-start", choice: 0, part: "reasoning" }
      yield { type: "delta", choice: 0, part: "reasoning", text: "Let me see.", tokens: 3 }
      yield { type: "part-end", choice: 0, part: "reasoning" }
      yield { type: "part-start", choice: 0, part: "text" }
      yield { type: "delta", choice: 0, part: "text", text: "A line.\n\n".repeat(200), tokens: 200 }
      await rest.promise
      yield { type: "delta", choice: 0, part: "text", text: "And more.\n\n".repeat(200), tokens: 200 }
      yield { type: "part-end", choice: 0, part: "text" }
      yield { type: "finish", choice: 0, reason: "stop", completionTokens: 403 }
      yield done(403)
    }
    const visit = await browser.visit(url)
    const { page } = visit
    await send(page, "Think first")
    await page.getByText(/Thought for/).waitFor()
    expect(await page.getByText("Let me see.").isVisible()).toBe(false)
    const thread = page.getByRole("log")
    const position = () => page.evaluate<number>("document.querySelector('[role=log]').scrollTop")
    const distance = () =>
      page.evaluate<number>(`(({ scrollHeight, clientHeight, scrollTop }) =>
        Math.round(scrollHeight - clientHeight - scrollTop))(document.querySelector("[role=log]"))`)
    await until(async () => (await position()) > 1000 && (await distance()) < 40)
    await thread.hover()
    await page.mouse.wheel(0, -600)
    await until(async () => (await distance()) > 500)
    const before = await position()
    rest.resolve()
    await settled(page)
    expect(Math.abs((await position()) - before)).toBeLessThan(2)
    await page.getByRole("button", { name: "Go to the latest message" }).click()
    await until(async () => (await distance()) < 40)
    await page.getByText(/Thought for/).click()
    await page.getByText("Let me see.").waitFor()
    expectClean(visit)
  })

  browserTest("asks two models at once", async () => {
    script = ({ model }) => answer([`I am ${model}`])
    const visit = await browser.visit(url)
    const { page } = visit
    await page.getByRole("button", { name: "Compare" }).click()
    await send(page, "Who are you?")
    await page.getByText("I am tiny").waitFor()
    await page.getByText("I am other").waitFor()
    expectClean(visit)
  })

  browserTest("finds conversations by what was said, renames and deletes them", async () => {
    const visit = await browser.visit(url)
    const { page } = visit
    for (const question of ["About apples", "About pears"]) {
      script = () => answer([question === "About apples" ? "Apples are fruit" : "So are pears"])
      await page.getByRole("button", { name: "New chat" }).click()
      await send(page, question)
      await settled(page)
    }
    const list = page.getByRole("complementary", { name: "Conversations" })
    await page.getByLabel("Search conversations").fill("so are")
    await list.getByRole("link", { name: "About apples" }).waitFor({ state: "detached" })
    expect(await list.getByRole("link").allInnerTexts()).toEqual(["About pears"])
    await page.getByLabel("Search conversations").fill("")

    await list.getByRole("button", { name: "Actions for About pears" }).click()
    await page.getByRole("menuitem", { name: "Rename" }).click()
    await page.getByLabel("Title").fill("Fruit")
    await page.keyboard.press("Enter")
    await list.getByRole("button", { name: "Actions for Fruit" }).click()
    await page.getByRole("menuitem", { name: "Delete" }).click()
    await checkAccess(page)
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
    await list.getByRole("link", { name: "Fruit" }).waitFor({ state: "detached" })
    await until(async () => !(await kept(page, "conversations")).includes("Fruit"))
    await page.reload()
    await list.getByRole("link", { name: "About apples" }).waitFor()
    expect(await list.getByRole("link").allInnerTexts()).toEqual(["About apples"])
    expectClean(visit)
  })

  browserTest("shows how likely each token was, and what else it could have been", async () => {
    const logprobs = [
      [token("Hello", Math.log(0.6), [token("Hello", Math.log(0.6)), token("Hi", Math.log(0.3))])],
    ]
    script = () => answer(["Hello"], { logprobs })
    const { page } = await browser.visit(url)
    await page.getByRole("button", { name: "Parameters" }).click()
    await page.getByRole("switch", { name: "Show token probabilities" }).check()
    await send(page, "Greet me")
    await settled(page)
    await page.getByRole("button", { name: "Show token probabilities" }).click()
    await page.getByRole("button", { name: "Hello", exact: true }).hover()
    await page.getByRole("row", { name: "Hi 30.0 %" }).waitFor()
  })

  browserTest("can be used in both themes, at every width", async () => {
    script = () =>
      answer(["## A heading\n\nText with `code` and a list:\n\n- one\n- two\n\n```js\nlet a = 1\n```\n"])
    const visit = await browser.visit(url)
    await send(visit.page, "Show me Markdown")
    await settled(visit.page)
    await checkAppearance(visit.page, "chat")
    await visit.page.getByRole("button", { name: "Parameters" }).click()
    await visit.page.getByRole("heading", { name: "Sampling" }).waitFor()
    await checkAccess(visit.page)
    expectClean(visit)
  })
})

async function send(page: Page, text: string): Promise<void> {
  const box = page.getByRole("textbox", { name: "Message" })
  await box.fill(text)
  await page.getByRole("button", { name: "Send" }).click()
}

/** Waits until nothing is being written. */
async function settled(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Regenerate" }).last().waitFor()
  await page.getByRole("button", { name: "Send" }).waitFor()
}

/** What the browser has stored, as JSON: it is written while the page goes on. */
async function kept(page: Page, store: "conversations" | "messages"): Promise<string> {
  return await page.evaluate<string>(`new Promise((resolve, reject) => {
    const opening = indexedDB.open("xllm")
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const database = opening.result
      const reading = database.transaction("${store}").objectStore("${store}").getAll()
      reading.onerror = () => reject(reading.error)
      reading.onsuccess = () => {
        database.close()
        resolve(JSON.stringify(reading.result))
      }
    }
  })`)
}

function expectClean({ problems, foreign }: Visit): void {
  expect(problems).toEqual([])
  expect(foreign).toEqual([])
}

function begun(text: string): readonly GenerationEvent[] {
  return [
    { type: "prompt", tokens: 5 },
    { type: "part-start", choice: 0, part: "text" },
    { type: "delta", choice: 0, part: "text", text, tokens: 1 },
  ]
}

/** An answer that is a call of a tool. */
async function* called(name: string, text: string): AsyncGenerator<GenerationEvent> {
  yield { type: "prompt", tokens: 5 }
  yield { type: "part-start", choice: 0, part: "tool-call", id: "c1", name }
  yield { type: "delta", choice: 0, part: "tool-call", text, tokens: 3 }
  yield { type: "part-end", choice: 0, part: "tool-call" }
  yield { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 3 }
  yield done(3)
}
