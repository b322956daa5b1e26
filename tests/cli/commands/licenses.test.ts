import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { dependencies, optionalDependencies } from "../../../package.json"
import { LICENSED_PARTS } from "../../../src/cli/show/licensed-parts"
import { runXllm } from "../../support/xllm"

describe("xllm licenses", () => {
  test("names each part with its licence and its source", async () => {
    const { out, err, code } = await runXllm(["licenses"])
    expect([err, code]).toEqual(["", 0])
    expect(out).toMatch(/^xLLM \S+: MIT$/m)
    expect(out).toMatch(/^llama\.cpp and ggml, CPU +MIT +https:\/\/github\.com\/ggml-org\/llama\.cpp$/m)
    expect(out).toMatch(/^ {2}with espeak-ng .+ GPL-3\.0-or-later$/m)
    expect(out).toMatch(/speech engine contains espeak-ng, which is under the GPL/)
  })

  test("tells a program the same", async () => {
    const { out } = await runXllm(["licenses", "--json"])
    const { license, parts } = JSON.parse(out) as {
      license: string
      parts: { name: string; contains: object[] }[]
    }
    expect(license).toBe("MIT")
    expect(parts.map(({ name }) => name)).toEqual(LICENSED_PARTS.map(({ name }) => name))
    expect(parts.find(({ name }) => name.startsWith("sherpa-onnx"))?.contains).toContainEqual(
      expect.objectContaining({ license: "GPL-3.0-or-later" }),
    )
  })
})

/** Packages that are no part of an executable: types, and programs for other platforms. */
const NOT_CARRIED =
  /^(@types\/|@typescript\/|typescript$|bun-types$|undici-types$|@oven\/|@swc\/helpers$|debug\/)/

describe("the table of licences", () => {
  const named = new Set(LICENSED_PARTS.flatMap(({ packages }) => packages))

  test("forgets no dependency", () => {
    const wanted = Object.keys({ ...dependencies, ...optionalDependencies })
    expect(wanted.filter((name) => !named.has(name))).toEqual([])
  })

  test("forgets nothing that the web page is bundled from", async () => {
    const sources = new Bun.Glob("src/web/**/*.{ts,tsx}").scan(join(import.meta.dir, "../../.."))
    const imported = new Set<string>()
    for await (const path of sources) {
      const text = await Bun.file(join(import.meta.dir, "../../..", path)).text()
      for (const [, name = ""] of text.matchAll(/(?:from |import\()"((?:@[\w-]+\/)?[\w-][\w.-]*)/g))
        imported.add(name)
    }
    expect(imported.size).toBeGreaterThan(5)
    expect([...imported].filter((name) => !named.has(name))).toEqual([])
  })

  test("forgets nothing that dependencies bring along", async () => {
    const lock = (await Bun.file(join(import.meta.dir, "../../../package-lock.json")).json()) as {
      packages: Record<string, { dev?: boolean }>
    }
    const names = Object.entries(lock.packages)
      .filter(([path, { dev }]) => path !== "" && dev !== true)
      .map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length))
    expect(names.filter((name) => !named.has(name) && !NOT_CARRIED.test(name))).toEqual([])
  })

  test("names nothing that is not there any more", async () => {
    const lock = await Bun.file(join(import.meta.dir, "../../../package-lock.json")).text()
    expect([...named].filter((name) => !lock.includes(`node_modules/${name}"`))).toEqual([])
  })
})
