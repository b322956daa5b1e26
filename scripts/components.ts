import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ESPEAK_PACKAGE, espeakPackageFolder, readEspeakPackage } from "../src/native/espeak-package"
import type { Component } from "../src/native/extract"
import {
  chooseLibraries,
  CUDA_LIBRARY,
  type LlamaPackages,
  packageFolder,
  packagesFor,
  VULKAN_LIBRARY,
} from "../src/native/packages"
import { chooseSpeechLibraries, speechPackage, speechPackageFolder } from "../src/native/speech-files"
import { imageComponents } from "./image-engine"
import { buildMtmd, NoCompiler } from "./mtmd"
import { packComponent, type PackSource } from "./pack"
import { installPackage } from "./packages"

/** What an executable contains besides llama.cpp's CPU backends. */
interface Contents {
  readonly vulkan: boolean
  readonly cuda: boolean
  /** Speech and images. Speech includes parts under the GPL. */
  readonly media: boolean
}

export const FLAVOURS = {
  core: { vulkan: true, cuda: false, media: false },
  cpu: { vulkan: false, cuda: false, media: true },
  default: { vulkan: true, cuda: false, media: true },
  cuda: { vulkan: true, cuda: true, media: true },
} as const satisfies Readonly<Record<string, Contents>>

export type Flavour = keyof typeof FLAVOURS

/** All llama.cpp packages are released together; this one is always installed. */
const LLAMA_RELEASE = "@node-llama-cpp/linux-x64"
const SPEECH_RELEASE = "sherpa-onnx-linux-x64"

type Wanted = readonly [Component["name"], readonly PackSource[]]

/**
 * Packs a flavour's components for this platform, and returns the folder of llama.cpp's base libraries too.
 * @param isRelease whether to fail rather than to go on without a component that cannot be made here
 */
export async function packComponents(flavour: Flavour, root: string, isRelease: boolean) {
  const contents: Contents = FLAVOURS[flavour]
  const packages = packagesFor(process.platform, process.arch)
  if (!packages) throw new Error(`llama.cpp has no package for ${process.platform} on ${process.arch}`)
  const base = await llamaFolder(packages.base, root)
  const wanted: Wanted[] = [
    ["llama", baseLibraries(base)],
    ["shim", [join(root, "src/llama/shim.c")]],
    ...(await vision(root, isRelease)),
    ...(await gpuBackends(contents, packages, base, root)),
    ...(contents.media ? [...(await speech(root)), ...(await imageComponents(contents.vulkan, root))] : []),
  ]
  const cache = join(root, ".cache/components")
  const components = await Promise.all(wanted.map(([name, sources]) => packComponent(name, sources, cache)))
  return { base, components }
}

async function gpuBackends(
  { vulkan, cuda }: Contents,
  packages: LlamaPackages,
  base: string,
  root: string,
): Promise<Wanted[]> {
  const wanted: Wanted[] = []
  if (vulkan && packages.vulkan)
    wanted.push(["vulkan", [backend(await llamaFolder(packages.vulkan, root), VULKAN_LIBRARY, base)]])
  if (cuda) {
    if (!packages.cuda) throw new Error(`there is no CUDA package for ${process.platform} on ${process.arch}`)
    wanted.push(["cuda", [backend(await llamaFolder(packages.cuda, root), CUDA_LIBRARY, base)]])
  }
  return wanted
}

/** What models see and hear with. */
async function vision(root: string, isRelease: boolean): Promise<Wanted[]> {
  try {
    return [["mtmd", [await buildMtmd(root)]]]
  } catch (error) {
    if (isRelease || !(error instanceof NoCompiler)) throw error
    console.warn(`models will not see: ${error.message}; then build again`)
    return []
  }
}

/** The speech engine and espeak-ng's data; empty if the platform has no speech. */
async function speech(root: string): Promise<Wanted[]> {
  const name = speechPackage(process.platform, process.arch)
  if (name === undefined) return []
  await installPackage(name, root, SPEECH_RELEASE)
  await installPackage(ESPEAK_PACKAGE, root)
  return [
    ["speech", speechLibraries(found(name, speechPackageFolder(name)))],
    ["espeak", await readEspeakPackage(found(ESPEAK_PACKAGE, espeakPackageFolder()))],
  ]
}

function speechLibraries(folder: string): string[] {
  const names = chooseSpeechLibraries(readdirSync(folder))
  if (!names) throw new Error(`${folder} does not hold sherpa-onnx's libraries`)
  return names.map((name) => join(folder, name))
}

async function llamaFolder(packageName: string, root: string): Promise<string> {
  await installPackage(packageName, root, LLAMA_RELEASE)
  return found(packageName, packageFolder(packageName))
}

function found(packageName: string, folder: string | undefined): string {
  if (folder === undefined) throw new Error(`the package ${packageName} cannot be found`)
  return folder
}

/** All libraries; excludes node-llama-cpp's addon, which we do not use. */
function baseLibraries(folder: string): string[] {
  const names = readdirSync(folder)
  if (!chooseLibraries(names)) throw new Error(`${folder} does not contain llama.cpp's libraries`)
  return names
    .filter((name) => /\.(so|dylib)$/.test(name))
    .sort()
    .map((name) => join(folder, name))
}

/**
 * A GPU backend comes from a separate package and is loaded with the base libraries. This is only safe if it was
 * built against an identical libggml-base.
 */
function backend(folder: string, library: string, base: string): string {
  if (!sameContent(join(folder, "libggml-base.so"), join(base, "libggml-base.so"))) {
    throw new Error(`${folder} was built with another libggml-base than ${base}; their releases differ`)
  }
  return join(folder, library)
}

/** Are two files equal, byte by byte? */
function sameContent(left: string, right: string): boolean {
  return readFileSync(left).equals(readFileSync(right))
}
