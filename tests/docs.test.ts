import { describe, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { settingsTable } from "../scripts/settings-table"
import { commandsReference } from "../scripts/write-docs"
import { ROUTE_POLICIES } from "../src/http/server/routes"
import { Metrics } from "../src/metrics/metrics"
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

/** The paths of all routes, also of those that only a server with metrics has. */
function routePaths(): ReadonlySet<string> {
  const metrics = new Metrics({ version: "1.2.3", startedAt: new Date() })
  const { app } = fakeServer(undefined, { metrics })
  return new Set(app.routes.filter(({ method }) => method !== "OPTIONS").map(({ path }) => path))
}

/** How the documentation writes a path, up to its end; a route's `*` has a name there: `/images/:name`. */
function written(path: string): string {
  return path.endsWith("*") ? `${path.slice(0, -1)}:` : `${path}\``
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
    const paths = routePaths()
    expect(paths.size).toBeGreaterThan(10)
    expect([...paths].filter((path) => path !== "/" && !text.includes(written(path)))).toEqual([])
  })

  test("says of every route whether it is open without a key", async () => {
    const rows = tableBelow("# HTTP API", await page("docs/http.md"))
    const openness = [...routePaths()]
      .filter((path) => path !== "/")
      .map((path) => {
        const [, text = ""] = rows.find(([routes = ""]) => routes.includes(written(path))) ?? []
        if (!text.includes("open without a key")) return [path, "key"]
        return [path, text.includes("where `metrics.public` is on") ? "metrics" : "open"]
      })
    expect(openness).toEqual(openness.map(([path = ""]) => [path, ROUTE_POLICIES.get(path)?.access ?? "key"]))
  })

  test("has no policy for a route that does not exist", () => {
    expect([...ROUTE_POLICIES.keys()].filter((path) => !routePaths().has(path))).toEqual([])
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
