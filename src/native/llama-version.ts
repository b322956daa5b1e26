import { readFileSync } from "node:fs"
import { join } from "node:path"
import { packageFolder, packagesFor } from "./packages"

/** Put in by build.ts, because the compiled binary has no packages to look into. */
declare const XLLM_LLAMA_VERSION: string | undefined

/** The release of llama.cpp that the shipped libraries were built from, such as `v0.5.0`. Loads no library. */
export function llamaVersion(): string {
  if (typeof XLLM_LLAMA_VERSION === "string") return XLLM_LLAMA_VERSION
  const packages = packagesFor(process.platform, process.arch)
  const folder = packages && packageFolder(packages.base)
  return folder === undefined ? "not installed" : releaseIn(folder)
}

/** The release that a folder of libraries says it was built from. */
export function releaseIn(folder: string): string {
  // The only part of the file that is used; it is written by the package's own build.
  const metadata = JSON.parse(readFileSync(join(folder, "_nlcBuildMetadata.json"), "utf8")) as {
    buildOptions: { llamaCpp: { release: string } }
  }
  return metadata.buildOptions.llamaCpp.release
}
