import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "bun:test"
import axe from "axe-core" with { type: "text" }
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"

const executablePath = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? undefined

/** A test in Chromium; skipped where there is none. Put it into a group whose name has "(Chromium)". */
export const browserTest = test.skipIf(executablePath === undefined)

/** Width of a phone, of a small window, and of a large one. */
export const WIDTHS = [360, 800, 1440] as const

export const THEMES = ["light", "dark"] as const

const SCREENSHOTS = join(import.meta.dir, "../../.cache/screenshots")

/** A page, and what went wrong on it. */
export interface Visit {
  readonly page: Page
  /** Errors in the console and uncaught ones: a breach of the page's policy is among them. */
  readonly problems: string[]
  /** Requests to other origins. */
  readonly foreign: string[]
}

/** One browser for all tests of a file; each visit has storage of its own. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser | undefined

  private constructor(browser: Browser | undefined) {
    this.#browser = browser
  }

  /** `flags`: of Chromium. Without Chromium its tests are skipped, so nothing is started. */
  static async start(flags: readonly string[] = []): Promise<TestBrowser> {
    if (executablePath === undefined) return new TestBrowser(undefined)
    const args = ["--no-sandbox", "--disable-dev-shm-usage", ...flags]
    return new TestBrowser(await chromium.launch({ executablePath, args, timeout: 60_000 }))
  }

  async visit(address: string, options: BrowserContextOptions = {}): Promise<Visit> {
    if (this.#browser === undefined) throw new Error("there is no Chromium")
    const context = await this.#browser.newContext({
      locale: "en-GB",
      viewport: { width: 1280, height: 800 },
      ...options,
    })
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    const { origin } = new URL(address)
    const problems: string[] = []
    const foreign: string[] = []
    page.on("pageerror", (error) => problems.push(error.message))
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text())
    })
    page.on("request", (request) => {
      const url = request.url()
      if (new URL(url).origin !== origin && !/^(data|blob):/.test(url)) foreign.push(url)
    })
    await page.goto(address)
    return { page, problems, foreign }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser?.close()
  }
}

/** Fails for whatever axe finds, and for what makes the page wider than its window. */
export async function checkAccess(page: Page): Promise<void> {
  // Through the debugger's protocol: the page's policy forbids scripts that are added to it.
  await page.evaluate(String(axe))
  const found = await page.evaluate<readonly string[]>(`
    axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target.join(" ")).join(", ")))`)
  expect(found).toEqual([])
  expect(
    await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth"),
  ).toBeLessThanOrEqual(0)
}

/** Takes a picture for looking at; nothing is compared. */
export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) })
}

/** In both themes and all widths: nothing for axe to find, and pictures named after `name`. */
export async function checkAppearance(page: Page, name: string): Promise<void> {
  for (const colorScheme of THEMES)
    for (const width of WIDTHS) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" })
      await page.setViewportSize({ width, height: 800 })
      // Colours are read while it is checked, so the new ones must be there.
      await page.waitForFunction(
        `matchMedia("(prefers-color-scheme: ${colorScheme})").matches && innerWidth === ${width}`,
      )
      await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
      await checkAccess(page)
      await takePicture(page, `${name}-${colorScheme}-${width}`)
    }
  await page.setViewportSize({ width: 1280, height: 800 })
}
