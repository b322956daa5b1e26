import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Component } from "../src/native/component"
import { packageFolder } from "../src/native/package-folder"
import { chooseLibraries, CUDA_LIBRARY, packagesFor, VULKAN_LIBRARY } from "../src/native/packages"
import { packComponent } from "./pack"

/** Which GPU backends an executable carries besides the CPU's. */
export type Flavour = "cpu" | "default" | "cuda"

/** The packed components of a flavour for this machine's platform, and the folder of the base libraries. */
export async function packComponents(flavour: Flavour, root: string) {
  const packages = packagesFor(process.platform, process.arch)
  if (!packages) throw new Error(`llama.cpp has no package for ${process.platform} on ${process.arch}`)
  const base = await installedFolder(packages.base, root)
  const wanted: [Component["name"], string[]][] = [
    ["llama", baseLibraries(base)],
    ["shim", [join(root, "src/llama/shim.c")]],
  ]
  if (flavour !== "cpu" && packages.vulkan) {
    wanted.push(["vulkan", [backend(await installedFolder(packages.vulkan, root), VULKAN_LIBRARY, base)]])
  }
  if (flavour === "cuda") {
    if (!packages.cuda) throw new Error(`there is no CUDA package for ${process.platform} on ${process.arch}`)
    wanted.push(["cuda", [backend(await installedFolder(packages.cuda, root), CUDA_LIBRARY, base)]])
  }
  const cache = join(root, ".cache/components")
  const components = await Promise.all(wanted.map(([name, paths]) => packComponent(name, paths, cache)))
  return { base, components }
}

/**
 * The libraries of a package in the release that package.json pins. Packages that `npm ci` leaves out (CUDA for its
 * size, those for macOS) are fetched now, without recording them.
 */
async function installedFolder(packageName: string, root: string): Promise<string> {
  const wanted = pinnedRelease(await readManifest(root))
  const installed = await readManifest(join(root, "node_modules", packageName))
  if (installed?.version !== wanted) await fetchPackage(`${packageName}@${wanted}`, root)
  const folder = packageFolder(packageName)
  if (!folder) throw new Error(`the package ${packageName} cannot be found`)
  return folder
}

/** What is used of a package.json. */
interface Manifest {
  readonly version?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = Bun.file(join(folder, "package.json"))
  return (await file.exists()) ? ((await file.json()) as Manifest) : undefined // its shape is npm's to guarantee
}

/** All packages of libraries are released together. */
function pinnedRelease(project: Manifest | undefined): string {
  const release = project?.optionalDependencies?.["@node-llama-cpp/linux-x64"]
  if (release === undefined) throw new Error("package.json does not pin @node-llama-cpp/linux-x64")
  return release
}

async function fetchPackage(specifier: string, root: string): Promise<void> {
  const command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", specifier]
  console.log(command.join(" "))
  const child = Bun.spawn(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`)
}

/** Everything that is a library; not node-llama-cpp's addon, which nothing here calls. */
function baseLibraries(folder: string): string[] {
  const names = readdirSync(folder)
  if (!chooseLibraries(names)) throw new Error(`${folder} does not hold llama.cpp's libraries`)
  return names
    .filter((name) => /\.(so|dylib)$/.test(name))
    .sort()
    .map((name) => join(folder, name))
}

/**
 * A GPU backend is taken out of a package of its own and loaded beside the base libraries. That is sound only if it
 * was built against the very same libggml-base.
 */
function backend(folder: string, library: string, base: string): string {
  if (!sameContent(join(folder, "libggml-base.so"), join(base, "libggml-base.so"))) {
    throw new Error(`${folder} was built with another libggml-base than ${base}; their releases differ`)
  }
  return join(folder, library)
}

/** Whether two files are equal, byte by byte. */
function sameContent(left: string, right: string): boolean {
  return readFileSync(left).equals(readFileSync(right))
}
