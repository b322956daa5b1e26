import { mkdir, rename, rm } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type Flavour, FLAVOURS, packComponents } from "./scripts/components"
import { sourceHash } from "./scripts/source-hash"
import { packPage } from "./scripts/page"
import { bundlePage } from "./src/http/web/bundle"
import type { Component } from "./src/native/extract"
import { releaseIn } from "./src/native/llama-version"

const ROOT = import.meta.dir
const flavours = Object.keys(FLAVOURS) as Flavour[] // the table's own keys

const USAGE = `Usage: bun run build [--flavour ${flavours.join("|")}] [--outfile FILE] [--entry FILE] [--release]

core     text only, on CPUs and through Vulkan; no part under the GPL
cpu      text, speech and images, on CPUs only
default  text, speech and images, and Vulkan on linux-x64
cuda     the default and CUDA, on linux-x64 (fetches its package, 180 MB; untested)

A C++ compiler ($CXX, c++, g++, clang++ or zig) makes the library with which models see. Without one the build goes on
without it; with --release it fails.`

/** Builds the executable; readers of `outfile` see the old or the new one, never a partial file. */
async function build({ flavour, outfile, entry, release }: ReturnType<typeof parseOptions>) {
  const hash = await sourceHash(ROOT)
  const { base, components } = await packComponents(flavour, ROOT, release)
  const temporary = `${outfile}.${process.pid}.tmp`
  await mkdir(dirname(outfile), { recursive: true })
  try {
    const page = await packPage(await bundlePage("small"), join(ROOT, ".cache/page"))
    await bundle({ flavour, entry, outfile: temporary, components, page, llamaVersion: releaseIn(base) })
    await rename(temporary, outfile)
  } finally {
    await rm(temporary, { force: true })
  }
  await Bun.write(`${outfile}.json`, JSON.stringify({ hash, flavour }))
}

async function bundle(options: {
  flavour: Flavour
  entry: string
  outfile: string
  components: readonly Component[]
  /** The source of the module with the web page. */
  page: string
  llamaVersion: string
}) {
  await Bun.build({
    // Threads are started with `new Worker(new URL("./prompt-thread.ts", import.meta.url).href)`. In the executable
    // that URL is relative to its root, so entries are placed there, without their folders.
    entrypoints: [
      options.entry,
      join(ROOT, "src/worker/text/prompt/prompt-thread.ts"),
      join(ROOT, "src/worker/text/media/encoder-thread.ts"),
      join(ROOT, "src/worker/embedding/token-thread.ts"),
      join(ROOT, "src/worker/cpu-lease-thread.ts"),
      join(ROOT, "src/convert/tokenizer/hash-thread.ts"),
    ],
    naming: "[name].[ext]",
    target: "bun",
    format: "esm", // with bytecode any other format fails at the first top-level await, when it runs
    minify: { whitespace: true, syntax: true, identifiers: true, keepNames: true }, // names of errors are shown
    bytecode: true,
    define: {
      "process.env.NODE_ENV": '"production"',
      XLLM_LLAMA_VERSION: JSON.stringify(options.llamaVersion),
    },
    plugins: [embed(options.components), embedPage(options.page), leaveOut(FLAVOURS[options.flavour].media)],
    compile: {
      outfile: options.outfile,
      // The executable must behave the same in any folder, whatever files it contains.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  })
}

/** Replaces src/native/embedded.ts with the packed components. */
function embed(components: readonly Component[]): Bun.BunPlugin {
  const imports = components.map(
    ({ archive }, index) => `import archive${index} from ${JSON.stringify(archive)} with { type: "file" }`,
  )
  const entries = components.map(
    (component, index) => `{ ...${JSON.stringify({ ...component, archive: "" })}, archive: archive${index} }`,
  )
  const contents = `${imports.join("\n")}\nexport const components = [${entries.join(",\n")}]\n`
  return {
    name: "embed-components",
    setup(builder) {
      builder.onLoad({ filter: /src[\\/]native[\\/]embedded\.ts$/ }, () => ({ contents, loader: "js" }))
    },
  }
}

/** Replaces src/http/web/embedded.ts, and with it the bundler, with the packed page. */
function embedPage(contents: string): Bun.BunPlugin {
  return {
    name: "embed-page",
    setup(builder) {
      builder.onLoad({ filter: /src[\\/]http[\\/]web[\\/]embedded\.ts$/ }, () => ({ contents, loader: "js" }))
    },
  }
}

/**
 * Omits unreachable code: the Opus decoder's repair of lost packets (10 MB of weights, loaded only on request), and
 * in a text-only build all other workers.
 */
function leaveOut(media: boolean): Bun.BunPlugin {
  return {
    name: "leave-out",
    setup(builder) {
      const namespace = "left-out"
      builder.onResolve({ filter: /^@wasm-audio-decoders\/opus-ml$/ }, ({ path }) => ({ path, namespace }))
      builder.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: `throw new Error(${JSON.stringify(`${path} is not in this build`)})`,
        loader: "js",
      }))
      if (media) return
      const contents = `export * from ${JSON.stringify(join(ROOT, "src/worker/not-in-this-build.ts"))}`
      builder.onLoad({ filter: /src[\\/]worker[\\/](tts|asr|diffusion)[\\/]load\.ts$/ }, () => ({
        contents,
        loader: "js",
      }))
    },
  }
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      flavour: { type: "string", default: "default" },
      outfile: { type: "string", default: join(ROOT, "dist/xllm") },
      entry: { type: "string", default: join(ROOT, "src/index.ts") },
      release: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  const flavour = flavours.find((name) => name === values.flavour)
  if (values.help || flavour === undefined) {
    console.log(USAGE)
    process.exit(values.help ? 0 : 1)
  }
  const { release } = values
  return { flavour, outfile: resolve(values.outfile), entry: resolve(values.entry), release }
}

const options = parseOptions()
const startedAt = performance.now()
await build(options)
const megabytes = Bun.file(options.outfile).size / 1e6
const seconds = (performance.now() - startedAt) / 1000
console.log(
  `built ${options.outfile} (${options.flavour}, ${megabytes.toFixed(0)} MB) in ${seconds.toFixed(1)} s`,
)
