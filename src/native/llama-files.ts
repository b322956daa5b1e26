import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { NativeLibraryError } from "../errors/engine"
import { extractEmbedded } from "./extract-embedded"
import { installedMtmd, MTMD_LIBRARY } from "./mtmd-files"
import {
  chooseLibraries,
  CUDA_LIBRARY,
  type LlamaLibraries,
  packageFolder,
  packagesFor,
  VULKAN_LIBRARY,
} from "./packages"

const SHIM = "shim.c"

/** Real files of llama.cpp, ready to be loaded; every path is absolute. */
export interface LlamaFiles {
  /** Holds libggml-base and the CPU backends: the argument of `ggml_backend_load_all_from_path`. */
  readonly folder: string
  /** To be loaded with RTLD_GLOBAL in the order of the fields. */
  readonly libraries: LlamaLibraries
  /** Backend libraries outside `folder`, where this build has them. Both expect libggml-base to be loaded already. */
  readonly vulkan?: string
  readonly cuda?: string
  /** libmtmd, where this build has it: models see and hear with it. To be loaded after the libraries. */
  readonly mtmd?: string
  /** The source of the shim, for `cc()`, which takes only real paths. */
  readonly shim: string
}

/**
 * Finds llama.cpp's libraries: in development in node_modules, in the compiled binary below `runtimeFolder`, where
 * they are extracted on first use.
 * @throws NativeLibraryError where the platform has none, they are not installed, or the folder cannot be written
 */
export async function locateLlama(runtimeFolder: string): Promise<LlamaFiles> {
  return Bun.isStandaloneExecutable ? locateEmbedded(runtimeFolder) : locateInstalled()
}

async function locateEmbedded(runtimeFolder: string): Promise<LlamaFiles> {
  const [folder, vulkan, cuda, mtmd, shim] = await Promise.all([
    extractEmbedded("llama", runtimeFolder),
    extractEmbedded("vulkan", runtimeFolder),
    extractEmbedded("cuda", runtimeFolder),
    extractEmbedded("mtmd", runtimeFolder),
    extractEmbedded("shim", runtimeFolder),
  ])
  if (folder === undefined || shim === undefined)
    throw new NativeLibraryError("this executable was built without llama.cpp")
  return {
    folder,
    libraries: await librariesIn(folder),
    ...(vulkan !== undefined && { vulkan: join(vulkan, VULKAN_LIBRARY) }),
    ...(cuda !== undefined && { cuda: join(cuda, CUDA_LIBRARY) }),
    ...(mtmd !== undefined && { mtmd: join(mtmd, MTMD_LIBRARY) }),
    shim: join(shim, SHIM),
  }
}

async function locateInstalled(): Promise<LlamaFiles> {
  const packages = packagesFor(process.platform, process.arch)
  if (!packages)
    throw new NativeLibraryError(`llama.cpp is not available for ${process.platform} on ${process.arch}`)
  const folder = packageFolder(packages.base)
  if (!folder)
    throw new NativeLibraryError(
      `the package ${packages.base} is not installed; run 'npm ci', or 'npm run build', which fetches what is missing`,
    )
  const vulkan = backendIn(packages.vulkan, VULKAN_LIBRARY)
  const cuda = backendIn(packages.cuda, CUDA_LIBRARY)
  const mtmd = installedMtmd()
  return {
    folder,
    libraries: await librariesIn(folder),
    ...(vulkan !== undefined && { vulkan }),
    ...(cuda !== undefined && { cuda }),
    ...(mtmd !== undefined && { mtmd }),
    shim: join(import.meta.dir, "../llama", SHIM),
  }
}

async function librariesIn(folder: string): Promise<LlamaLibraries> {
  const names = chooseLibraries(await readdir(folder))
  if (!names)
    throw new NativeLibraryError(
      `${folder} does not contain llama.cpp's libraries; install the package again`,
    )
  return {
    ggmlBase: join(folder, names.ggmlBase),
    ggml: join(folder, names.ggml),
    llama: join(folder, names.llama),
    llamaCommon: join(folder, names.llamaCommon),
  }
}

function backendIn(packageName: string | undefined, library: string): string | undefined {
  const folder = packageName && packageFolder(packageName)
  if (!folder) return undefined
  const path = join(folder, library)
  return existsSync(path) ? path : undefined
}
