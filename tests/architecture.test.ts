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
  errors: ["domain", "lib", "limits"],
  // The tables of settings and tasks have bounds.
  domain: ["limits"],
  limits: ["domain", "lib"],
  version: [],
  config: [],
  log: [],
  metrics: [],
  "kv-disk": [],
  formats: [],
  prompt: ["grammar"],
  protocol: ["measure"],
  native: [],
  llama: [],
  grammar: [],
  measure: [],
  worker: ["measure", "llama", "protocol", "prompt", "grammar", "formats", "native", "kv-disk"],
  convert: ["formats", "protocol"],
  store: ["formats", "log", "convert"],
  engine: ["measure", "protocol", "store", "formats", "log"],
  http: ["formats", "engine", "store", "metrics", "log", "convert"],
  // The page in browsers: only the types of what the server answers.
  web: ["http"],
  cli: [
    "config",
    "log",
    "metrics",
    "formats",
    "native",
    "kv-disk",
    "store",
    "engine",
    "http",
    "measure",
    "convert",
    "protocol",
  ],
}

/** Files that may do more than their folder. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "src/cli/worker.ts": ["worker"],
  // How many threads `auto` means is a worker's own rule.
  "src/cli/show/automatic-values.ts": ["worker"],
  "src/cli/measure/variants.ts": ["worker"],
  // Facts about a model hold for one build of llama.cpp.
  "src/config/profiles.ts": ["native"],
}

/**
 * The parts (sub-folders and files) of the larger folders, from the lowest layer to the highest. A part may import parts
 * of lower layers. Parts of one layer do not know each other, apart from those that stand in one text.
 */
const LAYERS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  cli: [
    ["terminal"],
    ["args completion"],
    ["models"],
    ["pull", "show"],
    ["serve"],
    ["jobs"],
    ["client"],
    ["measure"],
    ["repl"],
    ["commands"],
    ["worker"],
    ["main"],
  ],
  convert: [
    ["fields", "output", "quantize-types", "importance"],
    ["source"],
    ["tensors architectures"],
    ["card", "tokenizer"],
    ["plan"],
    ["convert", "quantize", "folder", "lora", "make-importance"],
  ],
  engine: [
    ["contract"],
    ["observer", "model-adapters", "model-kinds", "model-senses"],
    ["process"],
    ["residency"],
    ["serving"],
    ["local-engine"],
    ["index"],
  ],
  http: [
    ["context"],
    ["read", "image-files", "response-store"],
    ["render"],
    ["openai", "anthropic", "ollama", "llama-server", "v0", "web"],
    ["plugins"],
    ["server"],
  ],
  store: [
    [
      "adapters contract default-parameters file-failure fs hint keys layout local managed metadata-cache model-lookup model-texts names replacing workspace",
    ],
    ["pull"],
    ["create"],
    ["archive"],
    ["index"],
  ],
  "store/pull": [
    ["transfer"],
    ["choose", "events", "plan"],
    ["sources"],
    ["damage", "file-downloads", "find-plan", "signatures", "updates"],
    ["repair", "shared-pulls", "snapshot"],
    ["pull"],
  ],
  web: [
    ["texts lib"],
    ["api"],
    ["ui"],
    ["markdown", "conversations"],
    ["voice"],
    ["chat", "models", "images", "server"],
    ["settings"],
    ["shell"],
    ["main"],
  ],
  worker: [
    [
      "attached-parts",
      "cores",
      "cpu-features",
      "derived",
      "lifetime",
      "cpu-lease cpu-lease-thread",
      "sherpa",
      "speech-provider",
    ],
    ["audio", "media-shell", "probe", "importance"],
    ["job", "picture"],
    ["text embedding", "tts", "asr", "diffusion", "not-in-this-build"],
    ["measure"],
    ["start"],
  ],
}

/** Names that are exported more than once, each for its reason. */
const SHARED_NAMES: Readonly<Record<string, RegExp>> = {
  // Each file of a command exports it under one name, by which main.ts loads it.
  command: /^src\/cli\/(commands\/|worker)/,
  // Takes the place of what loads the models, in a build without speech and images.
  loadTts: /^src\/worker\//,
  loadAsr: /^src\/worker\//,
  loadDiffusionModel: /^src\/worker\//,
}

/** More files than this in one folder want a sub-folder. */
const MOST_FILES = 20

const FOUNDATION_ITSELF = ["lib", "errors", "domain", "limits", "version"]

interface Import {
  /** Relative to the root of the project. */
  readonly from: string
  readonly specifier: string
  /** The imported file, relative to the root; `undefined` for packages. */
  readonly to: string | undefined
}

const files = [...new Bun.Glob("src/**/*.{ts,tsx}").scanSync({ cwd: ROOT })].sort()
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

  test("have their parts in layers, and import downwards only", () => {
    expect(imports.filter((each) => !isDownward(each)).map(describeImport)).toEqual([])
  })

  test("have no part that is in no layer", () => {
    const folders = Object.keys(LAYERS)
    const parts = files.flatMap((file) => folders.flatMap((folder) => partOf(folder, file) ?? []))
    expect([...new Set(parts.filter(({ layer }) => layer < 0).map(({ name }) => name))]).toEqual([])
  })

  test("keep the dialects of the HTTP server to themselves", () => {
    const dialects = /^src\/http\/(openai|anthropic|ollama|llama-server|v0(?!\/bodies\/))/
    const users = imports.filter(
      ({ from, to }) => !/^src\/(http|web)\//.test(from) && dialects.test(to ?? ""),
    )
    expect(users.map(describeImport)).toEqual([])
  })

  test("give the page in browsers their types, and no code", () => {
    const loaded = [...sources].flatMap(([file, text]) =>
      file.startsWith("src/web/")
        ? transpilerFor(file)
            .scanImports(text)
            .map(({ path }) => ({ from: file, specifier: path, to: targetOf(file, path) }))
        : [],
    )
    const outside = loaded.filter(({ to }) => to?.startsWith("src/web/") === false)
    expect(outside.map(describeImport)).toEqual([])
  })

  test("export no name twice", () => {
    const places = new Map<string, string[]>()
    for (const [file, text] of sources) {
      for (const name of exportsOf(text)) {
        if (SHARED_NAMES[name]?.test(file) === true) continue
        // The page is a program of its own: a list of models there is another thing than here.
        const key = file.startsWith("src/web/") ? `${name} of the page` : name
        places.set(key, [...(places.get(key) ?? []), file])
      }
    }
    expect([...places].filter(([, all]) => all.length > 1)).toEqual([])
  })

  test("hold few files each", () => {
    const folders = Map.groupBy(files, dirname)
    expect([...folders].filter(([, all]) => all.length > MOST_FILES).map(([folder]) => folder)).toEqual([])
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
    const readers = [...sources].filter(([, text]) =>
      /(?<!")\b(process|Bun)\.env\b/.test(withoutComments(text)),
    )
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
    const missed = [...sources].flatMap(([file, text]) => {
      const seen = importsOf(file, text).map(({ specifier }) => specifier)
      return transpilerFor(file)
        .scanImports(text)
        .filter(({ path, kind }) => !seen.includes(path) && kind !== "require-call")
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
  return (file.split("/")[1] ?? "").replace(/\.tsx?$/, "")
}

function isDownward({ from, to }: Import): boolean {
  if (to === undefined) return true
  return Object.keys(LAYERS).every((folder) => {
    const source = partOf(folder, from)
    const target = partOf(folder, to)
    if (source === undefined || target === undefined || source.name === target.name) return true
    return target.layer < source.layer || target.group === source.group
  })
}

/** What part of a folder a file belongs to, and where in the layers that is; `layer` is -1 where it is in none. */
function partOf(folder: string, file: string) {
  if (!file.startsWith(`src/${folder}/`)) return undefined
  const name = (file.slice(`src/${folder}/`.length).split("/")[0] ?? "").replace(/\.tsx?$/, "")
  const layers = LAYERS[folder] ?? []
  const layer = layers.findIndex((groups) => groups.some((group) => group.split(" ").includes(name)))
  const group = layers[layer]?.find((each) => each.split(" ").includes(name)) ?? name
  return { name, layer, group }
}

/** The names that a file declares and exports. */
function exportsOf(text: string): readonly string[] {
  const pattern =
    /^export (?:abstract |async |declare )*(?:class|interface|type|function\*?|const|let|enum) (\w+)/gm
  return [...new Set([...withoutComments(text).matchAll(pattern)].map((match) => match[1] ?? ""))]
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

function transpilerFor(file: string): Bun.Transpiler {
  return file.endsWith("x") ? TSX : TS
}

const TS = new Bun.Transpiler({ loader: "ts" })
// What it adds for JSX are calls of `require`.
const TSX = new Bun.Transpiler({ loader: "tsx" })

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "$1")
}

function targetOf(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined
  const path = relative(ROOT, join(ROOT, dirname(file), specifier))
  const candidates = [path, `${path}.ts`, `${path}.tsx`, `${path}/index.ts`, `${path}/index.tsx`]
  return candidates.find((each) => /\.\w+$/.test(each) && existsSync(join(ROOT, each))) ?? `${path}.ts`
}

function describeImport({ from, specifier }: Import): string {
  return `${from} imports ${specifier}`
}

/** The files of one cycle, or none. Imports of types only are gone when the program runs. */
function findCycle(): readonly string[] {
  const graph = new Map(
    [...sources].map(([file, text]) => {
      const loaded = transpilerFor(file)
        .scanImports(text)
        .filter(({ kind }) => kind === "import-statement")
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
