import { dirname, join } from "node:path"

/** Where the native libraries of one platform come from: npm packages, each with one folder of libraries. */
export interface LlamaPackages {
  /** The CPU backends (on Apple silicon: and Metal), libggml, libllama and libllama-common. */
  readonly base: string
  /** Packages of which only the backend library is used, because the rest equals `base`. */
  readonly vulkan?: string
  readonly cuda?: string
}

/** The parts of llama.cpp that are found by name, because their file names carry its version. */
export interface LlamaLibraries {
  readonly ggmlBase: string
  readonly ggml: string
  readonly llama: string
  readonly llamaCommon: string
}

/**
 * By `${process.platform}-${process.arch}`. Only linux-x64 is tested; the other rows follow the same rules and
 * the file names in their packages.
 */
const PACKAGES: Readonly<Record<string, LlamaPackages>> = {
  "linux-x64": {
    base: "@node-llama-cpp/linux-x64",
    vulkan: "@node-llama-cpp/linux-x64-vulkan",
    cuda: "@node-llama-cpp/linux-x64-cuda",
  },
  "linux-arm64": { base: "@node-llama-cpp/linux-arm64" },
  "darwin-arm64": { base: "@node-llama-cpp/mac-arm64-metal" },
  "darwin-x64": { base: "@node-llama-cpp/mac-x64" },
}

/** Backends are plugins with the suffix `.so` on macOS too; only what is linked against is a `.dylib` there. */
export const VULKAN_LIBRARY = "libggml-vulkan.so"
export const CUDA_LIBRARY = "libggml-cuda.so"

const LIBRARY_PATTERNS: Readonly<Record<keyof LlamaLibraries, RegExp>> = {
  ggmlBase: /^libggml-base\.(so|dylib)$/,
  ggml: /^libggml(\.[a-z]+)?\.v[0-9.]+\.(so|dylib)$/,
  llama: /^libllama(\.[a-z]+)?\.v[0-9.]+\.(so|dylib)$/,
  llamaCommon: /^libllama-common\.(so|dylib)$/,
}

/** The packages of a platform, or `undefined` where llama.cpp is not shipped for it. */
export function packagesFor(platform: string, arch: string): LlamaPackages | undefined {
  return PACKAGES[`${platform}-${arch}`]
}

/** Picks the libraries to link against from the names in a package's folder; `undefined` where one is missing. */
export function chooseLibraries(names: readonly string[]): LlamaLibraries | undefined {
  const find = (pattern: RegExp) => names.find((name) => pattern.test(name))
  const ggmlBase = find(LIBRARY_PATTERNS.ggmlBase)
  const ggml = find(LIBRARY_PATTERNS.ggml)
  const llama = find(LIBRARY_PATTERNS.llama)
  const llamaCommon = find(LIBRARY_PATTERNS.llamaCommon)
  if (!ggmlBase || !ggml || !llama || !llamaCommon) return undefined
  return { ggmlBase, ggml, llama, llamaCommon }
}

/** The folder of libraries inside an installed package, or `undefined` where it is not installed. */
export function packageFolder(name: string): string | undefined {
  try {
    const entry = Bun.resolveSync(name, import.meta.dir)
    return join(dirname(entry), "../bins", name.slice(name.indexOf("/") + 1))
  } catch {
    return undefined
  }
}
