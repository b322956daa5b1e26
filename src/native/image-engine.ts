import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { NativeLibraryError } from "../errors/engine"
import { Unsupported } from "../errors/request"
import { extractEmbedded } from "./extract-embedded"

/** The package with stable-diffusion.cpp, for all platforms, and the JavaScript packages that it and the sidecar need. */
export const ENGINE_PACKAGE = "@qvac/diffusion-cpp"
export const SIDECAR_PACKAGES = ["bare-fs", "bare-os", "bare-path"]

/** The Bare runtime by `${process.platform}-${process.arch}`. Only linux-x64 is tested. */
const RUNTIMES: Readonly<Record<string, string>> = { "linux-x64": "bare-runtime-linux-x64" }

/** Names of the files in the component. */
export const RUNTIME_FILE = "bare"
export const SIDECAR_FILE = "sidecar.cjs"

/** Real files of the image engine; every path is absolute. */
export interface ImageEngineFiles {
  /** The Bare runtime's executable. */
  readonly runtime: string
  /** What it runs; beside it or above it lie the packages. */
  readonly script: string
  /** The folder in which the library looks for GPU backends (its `backendsDir`), where this build has any. */
  readonly gpuBackends?: string
}

/** The package of the Bare runtime of a platform, or `undefined` where there is none. */
export function bareRuntimePackage(platform: string, arch: string): string | undefined {
  return RUNTIMES[`${platform}-${arch}`]
}

/** The folder of an installed package. */
export function enginePackageFolder(name: string): string | undefined {
  // The engine's own package exports its package.json under another name.
  for (const file of ["package.json", "package"]) {
    try {
      return dirname(Bun.resolveSync(`${name}/${file}`, import.meta.dir))
    } catch {
      continue
    }
  }
  return undefined
}

/**
 * Finds the image engine: in development in node_modules, in the compiled binary below `runtimeFolder`, where it is
 * extracted on first use.
 * @throws Unsupported where this executable was built without it, or the platform has none
 * @throws NativeLibraryError where it is not installed, or the folder cannot be written
 */
export async function locateImageEngine(runtimeFolder: string): Promise<ImageEngineFiles> {
  return Bun.isStandaloneExecutable ? await embedded(runtimeFolder) : installed()
}

async function embedded(runtimeFolder: string): Promise<ImageEngineFiles> {
  const [folder, gpuBackends] = await Promise.all([
    extractEmbedded("image", runtimeFolder),
    extractEmbedded("image-vulkan", runtimeFolder),
  ])
  if (folder === undefined)
    throw new Unsupported(
      "this build of xLLM has no image engine; the default build does ('npm run build')",
      "model",
    )
  return {
    runtime: join(folder, RUNTIME_FILE),
    script: join(folder, SIDECAR_FILE),
    ...(gpuBackends !== undefined && { gpuBackends }),
  }
}

function installed(): ImageEngineFiles {
  const runtimePackage = bareRuntimePackage(process.platform, process.arch)
  if (runtimePackage === undefined)
    throw new Unsupported(`images are not available for ${process.platform} on ${process.arch}`, "model")
  const runtime = enginePackageFolder(runtimePackage)
  const engine = enginePackageFolder(ENGINE_PACKAGE)
  if (runtime === undefined || engine === undefined || !existsSync(join(runtime, "bin", RUNTIME_FILE)))
    throw new NativeLibraryError(
      `the packages ${runtimePackage} and ${ENGINE_PACKAGE} are not installed; run 'npm ci'`,
    )
  return {
    runtime: join(runtime, "bin", RUNTIME_FILE),
    script: join(import.meta.dir, "../worker/diffusion", SIDECAR_FILE),
    gpuBackends: join(engine, "prebuilds"),
  }
}
