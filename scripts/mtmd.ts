/**
 * Compiles libmtmd, the part of llama.cpp that turns pictures and sounds into embeddings, against the shipped
 * libraries, which do not contain it. Its helper (decoders of files) is left out: it gets pixels and samples only.
 * Usage: bun scripts/mtmd.ts
 */
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { basename, dirname, join } from "node:path"
import { compiledMtmd, MTMD_LIBRARY } from "../src/native/mtmd-files"
import { chooseLibraries, packageFolder, packagesFor } from "../src/native/packages"
import { llamaSource, SOURCE_SHA512 } from "./llama-source"
import { newerVersions } from "./symbol-versions"

const FOLDER = "tools/mtmd"
const SOURCES = ["mtmd-audio.cpp", "mtmd-image.cpp"].map((file) => `${FOLDER}/${file}`)
/** In `scripts/mtmd`: each includes the file of llama.cpp with its name. */
const EXTENDED = ["mtmd.cpp", "clip.cpp"]
const HEADERS = ["include", "ggml/include", FOLDER]

/** Paths are relative and nothing of this machine is recorded, so that the same compiler makes the same library. */
const COMPILE = [
  ...[
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-g0",
    "-w",
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-fdata-sections",
  ],
  ...["-DNDEBUG", "-DLLAMA_SHARED", "-DLLAMA_BUILD", "-DGGML_SHARED", "-DGGML_BACKEND_SHARED"],
]

/** Its C functions; nothing else of it can clash with another C++ library in the process. */
const EXPORTS = "{ global: mtmd_*; local: *; };\n"
const EXPORTS_FILE = "exports.map"

/** What it uses of llama.cpp stays open: those libraries are loaded before it. */
const LINK: Readonly<Record<string, readonly string[]>> = {
  linux: [
    ...["-shared", `-Wl,--version-script=${EXPORTS_FILE}`, "-Wl,-z,undefs"],
    ...["-Wl,--gc-sections", `-Wl,-soname,${MTMD_LIBRARY}`],
  ],
  darwin: ["-dynamiclib", "-Wl,-undefined,dynamic_lookup", "-install_name", `@rpath/${MTMD_LIBRARY}`],
}

interface Compiler {
  readonly command: readonly string[]
  readonly version: string
}

/** The library cannot be made on this machine. */
export class NoCompiler extends Error {}

const ROOT = join(import.meta.dir, "..")
if (import.meta.main) console.log(await buildMtmd(ROOT))

/**
 * The path of the library. It is compiled once for each compiler and source.
 * @throws NoCompiler; Error with the compiler's output, or where it would need a newer system than llama.cpp does
 */
export async function buildMtmd(root: string): Promise<string> {
  const link = LINK[process.platform]
  if (link === undefined) throw new NoCompiler(`there is no recipe for ${process.platform}`)
  const compiler = findCompiler()
  const ours = await Promise.all(EXTENDED.map((file) => Bun.file(join(root, "scripts/mtmd", file)).text()))
  const recipe = [SOURCE_SHA512, process.arch, compiler, COMPILE, link, SOURCES, ours, EXPORTS]
  const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify(recipe)).digest("hex")
  const library = compiledMtmd(root)
  const record = Bun.file(`${library}.hash`)
  if (existsSync(library) && (await record.exists()) && (await record.text()) === hash) return library
  await compile(compiler, link, library, ours)
  await Bun.write(record, hash)
  return library
}

function findCompiler(): Compiler {
  const chosen = process.env.CXX?.split(/\s+/).filter((word) => word !== "") ?? []
  for (const command of [chosen, ["c++"], ["g++"], ["clang++"], ["zig", "c++", ...zigTarget()]]) {
    const [program] = command
    if (program === undefined || Bun.which(program) === null) continue
    const { exitCode, stdout } = Bun.spawnSync([...command, "--version"], { stderr: "ignore" })
    if (exitCode === 0) return { command, version: stdout.toString().split("\n")[0] ?? "" }
  }
  throw new NoCompiler("no C++ compiler was found; install one ('apt-get install g++'), or name one in CXX")
}

/** Zig brings the C library of the release that it is told; the others take this machine's. */
function zigTarget(): readonly string[] {
  const arch = process.arch === "arm64" ? "aarch64" : "x86_64"
  return process.platform === "linux" ? ["-target", `${arch}-linux-gnu.2.28`] : []
}

async function compile(
  { command, version }: Compiler,
  link: readonly string[],
  library: string,
  ours: readonly string[],
): Promise<void> {
  console.log(`compiling ${MTMD_LIBRARY} with ${version}, which takes a minute or two`)
  const source = await llamaSource([FOLDER, ...HEADERS])
  const models = [...new Bun.Glob(`${FOLDER}/models/*.cpp`).scanSync({ cwd: source })].sort()
  await mkdir(dirname(library), { recursive: true })
  const work = await mkdtemp(`${library}.partial-`)
  try {
    // Under other names than what they include, which would otherwise be themselves.
    const extended = EXTENDED.map((file) => join(work, `extended-${file}`))
    await Promise.all(extended.map((path, index) => Bun.write(path, ours[index] ?? "")))
    const units = [...models, ...SOURCES, ...extended]
    const jobs = units.map((unit, index) => ({ unit, object: join(work, `${index}.o`) }))
    const objects = jobs.map(({ object }) => object)
    const includes = HEADERS.flatMap((folder) => ["-I", folder])
    const compileNext = async (): Promise<void> => {
      // From the end, where the largest is: it would otherwise run alone at last.
      for (let job = jobs.pop(); job !== undefined; job = jobs.pop())
        await run([...command, ...COMPILE, ...includes, "-c", job.unit, "-o", job.object], source)
    }
    await Promise.all(Array.from({ length: availableParallelism() }, compileNext))
    await Bun.write(join(work, EXPORTS_FILE), EXPORTS)
    const made = join(work, basename(library))
    await run([...command, "-O2", "-s", ...link, "-o", made, ...objects], work)
    await mustRunBesideLlama(made)
    await rename(made, library)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "ignore", stderr: "pipe" })
  const output = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed:\n${output}`)
}

/** @throws Error where it needs a newer C or C++ library than libllama, which runs wherever this program does */
async function mustRunBesideLlama(library: string): Promise<void> {
  const packages = packagesFor(process.platform, process.arch)
  const folder = packages && packageFolder(packages.base)
  const names = folder === undefined ? undefined : chooseLibraries(await readdir(folder))
  if (folder === undefined || names === undefined)
    throw new Error("llama.cpp's libraries are not installed; run 'npm ci'")
  const newer = await newerVersions(library, join(folder, names.llama))
  if (newer.length === 0) return
  throw new Error(
    `${MTMD_LIBRARY} needs ${newer.join(", ")}, which libllama does not; compile it on an older system, or with zig`,
  )
}
