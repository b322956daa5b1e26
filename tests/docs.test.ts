import { describe, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { settingsTable } from "../scripts/settings-table"
import { commandsReference } from "../scripts/write-docs"
import { fakeServer } from "./support/http"

const ROOT = join(import.meta.dir, "..")
const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...new Bun.Glob("docs/*.md").scanSync({ cwd: ROOT }),
]

async function page(name: string): Promise<string> {
  return await Bun.file(join(ROOT, name)).text()
}

/** The cells of the first table below a heading, without what Markdown adds to them. */
function tableBelow(heading: string, text: string): readonly (readonly string[])[] {
  const lines = text.slice(text.indexOf(heading)).split("\n")
  const start = lines.findIndex((line) => line.startsWith("|"))
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"))
  const rows = lines.slice(start, end).filter((line) => !/^\|[\s|:-]*$/.test(line))
  return rows.map((row) =>
    row
      .slice(1, row.lastIndexOf("|"))
      .split(/(?<!\\)\|/)
      .map(plain),
  )
}

function plain(cell: string): string {
  return cell.replaceAll("\\", "").trim()
}

describe("the documentation (where one of these fails: npm run docs)", () => {
  test("lists every setting as it is", async () => {
    const table = tableBelow("## All settings", await page("docs/settings.md"))
    expect(table).toEqual(settingsTable().map((row) => row.map(plain)))
  })

  test("shows the help of every command, and with it every flag", async () => {
    expect(await page("docs/commands.md")).toContain(await commandsReference())
  })

  test("names every route", async () => {
    const text = await page("docs/http.md")
    const { app } = fakeServer()
    const paths = new Set(app.routes.filter(({ method }) => method !== "OPTIONS").map(({ path }) => path))
    expect(paths.size).toBeGreaterThan(10)
    // A route's `*` has a name in the documentation: `/images/:name`.
    const written = (path: string) => (path.endsWith("*") ? `${path.slice(0, -1)}:` : `${path}\``)
    expect([...paths].filter((path) => path !== "/" && !text.includes(written(path)))).toEqual([])
  })
})

describe("the pages", () => {
  test("link only to files that exist", async () => {
    const broken: string[] = []
    for (const name of PAGES) {
      for (const [, target = ""] of (await page(name)).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
        if (/^https?:/.test(target)) continue
        if (!existsSync(join(ROOT, dirname(name), target))) broken.push(`${name}: ${target}`)
      }
    }
    expect(broken).toEqual([])
  })

  test("are all reachable from the README, which stays a shop window", async () => {
    const readme = await page("README.md")
    expect(readme.split("\n").length).toBeLessThanOrEqual(200)
    const missing = PAGES.filter((name) => name.startsWith("docs/") && !readme.includes(`](${name})`))
    expect(missing).toEqual([])
  })
})
