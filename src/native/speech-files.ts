import { dirname, join } from "node:path"
import { NativeLibraryError } from "../errors/engine"
import { Unsupported } from "../errors/request"
import { extractEmbedded } from "./extract-embedded"

/**
 * The packages of sherpa-onnx by `${process.platform}-${process.arch}`. Only linux-x64 is tested; the others follow the
 * file names in their packages.
 */
const PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "sherpa-onnx-linux-x64",
  "linux-arm64": "sherpa-onnx-linux-arm64",
  "darwin-arm64": "sherpa-onnx-darwin-arm64",
  "darwin-x64": "sherpa-onnx-darwin-x64",
}

const ADDON = "sherpa-onnx.node"

/** The addon, and what it is linked against; the C++ API beside them is not used. */
const LIBRARIES: readonly RegExp[] = [
  /^sherpa-onnx\.node$/,
  /^libsherpa-onnx-c-api\.(so|dylib)$/,
  /^libonnxruntime(\.[0-9.]+)?\.(so|dylib)$/,
]

/** The package with the speech engine of a platform, or `undefined` where there is none. */
export function speechPackage(platform: string, arch: string): string | undefined {
  return PACKAGES[`${platform}-${arch}`]
}

/** The folder of an installed speech package. */
export function speechPackageFolder(name: string): string | undefined {
  try {
    return dirname(Bun.resolveSync(name, import.meta.dir))
  } catch {
    return undefined
  }
}

/** What of a speech package's files is needed at run time; `undefined` where something is missing. */
export function chooseSpeechLibraries(names: readonly string[]): string[] | undefined {
  const chosen = LIBRARIES.map((pattern) => names.filter((name) => pattern.test(name)))
  return chosen.every((found) => found.length > 0) ? chosen.flat() : undefined
}

/**
 * The path of sherpa-onnx's addon, with its libraries beside it: in development in node_modules, in the compiled
 * binary extracted below `runtimeFolder` on first use.
 * @throws Unsupported where this executable was built without speech, or the platform has none
 * @throws NativeLibraryError where it is not installed, or the folder cannot be written
 */
export async function locateSpeech(runtimeFolder: string): Promise<string> {
  return join(await (Bun.isStandaloneExecutable ? embedded(runtimeFolder) : installed()), ADDON)
}

async function embedded(runtimeFolder: string): Promise<string> {
  const folder = await extractEmbedded("speech", runtimeFolder)
  if (folder !== undefined) return folder
  throw new Unsupported("there is no speech engine in this build of xLLM", "model")
}

async function installed(): Promise<string> {
  const name = speechPackage(process.platform, process.arch)
  if (name === undefined)
    throw new Unsupported(`speech is not available for ${process.platform} on ${process.arch}`, "model")
  const folder = speechPackageFolder(name)
  if (folder === undefined)
    throw new NativeLibraryError(`the package ${name} is not installed; run 'npm ci', or 'npm run build'`)
  return folder
}
