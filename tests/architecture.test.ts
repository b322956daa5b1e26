import { describe, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const ROOT = join(import.meta.dir, "..")

/** What everybody may import besides their own folder. */
const FOUNDATION = ["errors", "domain", "lib", "limits", "version"]

/** Which folders below src/ each folder may import; everything that is not listed is forbidden. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  index: ["cli"],
  lib: [],
  errors: ["lib", "limits"],
  domain: [],
  limits: ["domain", "lib"],
  version: [],
  config: [],
  log: [],
  metrics: [],
  formats: [],
  prompt: [],
  protocol: [],
  native: ["log"],
  llama: [],
  worker: ["llama", "protocol", "prompt", "formats", "native", "log"],
  store: ["formats", "log"],
  engine: ["protocol", "store", "formats", "metrics", "log"],
  http: ["formats", "engine", "store", "metrics", "log"],
  cli: ["config", "log", "metrics", "formats", "prompt", "protocol", "native", "store", "engine", "http"],
}

/** Files that may do more than their folder. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "src/cli/worker.ts": ["worker"],
  // How many threads `auto` means is a worker's own rule.
  "src/cli/show/automatic-values.ts": ["worker"],
}

const FOUNDATION_ITSELF = ["lib", "errors", "domain", "limits", "version"]

interface Import {
  /** Relative to the root of the project. */
  readonly from: string
  readonly specifier: string
  /** The imported file, relative to the root; `undefined` for packages. */
  readonly to: string | undefined
}

const files = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: ROOT })].sort()
const sources = new Map(
  await Promise.all(files.map(async (file) => [file, await Bun.file(join(ROOT, file)).text()] as const)),
)
const imports = [...sources].flatMap(([file, text]) => importsOf(file, text))

describe("the folders of src/", () => {
  test("are all in the table", () => {
    expect([...new Set(files.map(unitOf))].filter((unit) => !(unit in MAY_IMPORT))).toEqual([])
  })

  test("import only what the table allows", () => {
    expect(imports.filter((each) => !isAllowed(each)).map(describeImport)).toEqual([])
  })

  test("import nothing from outside src/ but package.json", () => {
    const outside = imports.filter(
      ({ to }) => to !== undefined && !to.startsWith("src/") && to !== "package.json",
    )
    expect(outside.map(describeImport)).toEqual([])
  })

  test("have no cycle of imports, apart from types", () => {
    expect(findCycle()).toEqual([])
  })

  test("read the environment only in src/config", () => {
    const readers = [...sources].filter(([, text]) => /\b(process|Bun)\.env\b/.test(withoutComments(text)))
    expect(readers.map(([file]) => file).filter((file) => !file.startsWith("src/config/"))).toEqual([])
  })
})

describe("the scan for imports", () => {
  test("sees every form, types too", () => {
    const text = `
      import a from "./a"
      import type { B } from "./b"
      import {
        type C, // from "./wrong"
        c,
      } from './c'
      export { d } from "./d"
      export type * from "./e"
      import "./f"
      const g = await import("./g")
      /* import x from "./wrong" */
      type H = import("./h").H`
    const specifiers = importsOf("src/lib/x.ts", text).map(({ specifier }) => specifier)
    expect(specifiers.sort()).toEqual(["./a", "./b", "./c", "./d", "./e", "./f", "./g", "./h"])
  })

  test("sees all that Bun's own scanner sees", () => {
    const transpiler = new Bun.Transpiler({ loader: "ts" })
    const missed = [...sources].flatMap(([file, text]) => {
      const seen = importsOf(file, text).map(({ specifier }) => specifier)
      return transpiler.scanImports(text).filter(({ path }) => !seen.includes(path))
    })
    expect(missed).toEqual([])
  })
})

function isAllowed({ from, to }: Import): boolean {
  if (to === undefined || !to.startsWith("src/")) return true
  const source = unitOf(from)
  const target = unitOf(to)
  if (source === target) return true
  if (FOUNDATION.includes(target) && !FOUNDATION_ITSELF.includes(source)) return true
  return [...(MAY_IMPORT[source] ?? []), ...(EXCEPTIONS[from] ?? [])].includes(target)
}

/** `src/http/server/app.ts` → `http`, `src/errors/` → `errors`. */
function unitOf(file: string): string {
  return (file.split("/")[1] ?? "").replace(/\.ts$/, "")
}

function importsOf(file: string, text: string): Import[] {
  const code = withoutComments(text)
  const patterns = [
    /\b(?:import|export)\b[^;'"`=()]*?\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
  ]
  const specifiers = patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ""))
  return specifiers.map((specifier) => ({ from: file, specifier, to: targetOf(file, specifier) }))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "$1")
}

function targetOf(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined
  const path = relative(ROOT, join(ROOT, dirname(file), specifier))
  const candidates = [path, `${path}.ts`, `${path}/index.ts`]
  return candidates.find((each) => /\.\w+$/.test(each) && existsSync(join(ROOT, each))) ?? `${path}.ts`
}

function describeImport({ from, specifier }: Import): string {
  return `${from} imports ${specifier}`
}

/** The files of one cycle, or none. Imports of types only are gone when the program runs. */
function findCycle(): readonly string[] {
  const transpiler = new Bun.Transpiler({ loader: "ts" })
  const graph = new Map(
    [...sources].map(([file, text]) => {
      const loaded = transpiler.scanImports(text).filter(({ kind }) => kind === "import-statement")
      return [file, loaded.map(({ path }) => targetOf(file, path)).filter((to) => to !== undefined)] as const
    }),
  )
  const done = new Set<string>()
  const visit = (file: string, trail: readonly string[]): readonly string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file]
    if (done.has(file)) return []
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...trail, file])
      if (cycle.length > 0) return cycle
    }
    done.add(file)
    return []
  }
  for (const file of graph.keys()) {
    const cycle = visit(file, [])
    if (cycle.length > 0) return cycle
  }
  return []
}
