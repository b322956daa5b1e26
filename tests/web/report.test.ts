import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test"
import { join } from "node:path"
import { htmlReport } from "../../src/measure/page/html"
import { reportOf, timed } from "../support/reports"
import { tempFolder } from "../support/temp-folder"
import { browserTest, checkAccess, takePicture, TestBrowser } from "./browser"

setDefaultTimeout(60_000)

const folder = tempFolder()
let browser: TestBrowser

beforeAll(async () => {
  browser = await TestBrowser.start()
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

describe("a report of measurements in a browser (Chromium)", () => {
  browserTest(
    "shows its tables and bars from a file alone, in both themes, and asks for nothing else",
    async () => {
      const path = join(folder.path, "report.html")
      const tests = [
        timed("pp512", [100, 110, 120]),
        timed("tg128", [9, 10, 11]),
        timed("tg128", [5], { model: "n" }),
      ]
      await Bun.write(path, htmlReport(reportOf(tests)))
      const { page, problems, foreign } = await browser.visit(`file://${path}`)
      expect(await page.getByText("pp512").first().isVisible()).toBe(true)
      const bars = await page
        .locator("svg rect")
        .evaluateAll((all) => all.map((bar) => bar.getBoundingClientRect().width))
      expect(bars.length).toBeGreaterThanOrEqual(tests.length)
      expect(Math.max(...bars)).toBeGreaterThan(50)
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme })
        await checkAccess(page)
        await takePicture(page, `report-${colorScheme}`)
      }
      expect(problems).toEqual([])
      expect(foreign).toEqual([])
    },
  )
})
