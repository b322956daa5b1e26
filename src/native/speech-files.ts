import { dirname } from "node:path"

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
