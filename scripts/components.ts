import { readdirSync } from "node:fs"
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
  const cache = join(root, ".cache/components")
  const base = folderOf(packages.base)
  const wanted: [Component["name"], string[]][] = [
    ["llama", baseLibraries(base)],
    ["shim", [join(root, "src/llama/shim.c")]],
  ]
  if (flavour !== "cpu" && packages.vulkan)
    wanted.push(["vulkan", [backend(packages.vulkan, VULKAN_LIBRARY, base)]])
  if (flavour === "cuda") {
    if (!packages.cuda) throw new Error(`there is no CUDA package for ${process.platform} on ${process.arch}`)
    await installCuda(packages.cuda, packages.base, root)
    wanted.push(["cuda", [backend(packages.cuda, CUDA_LIBRARY, base)]])
  }
  const components = await Promise.all(wanted.map(([name, paths]) => packComponent(name, paths, cache)))
  return { base, components }
}

function folderOf(packageName: string): string {
  const folder = packageFolder(packageName)
  if (!folder) throw new Error(`the package ${packageName} is not installed; run 'npm ci'`)
  return folder
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
function backend(packageName: string, library: string, base: string): string {
  const folder = folderOf(packageName)
  if (!sameContent(join(folder, "libggml-base.so"), join(base, "libggml-base.so"))) {
    throw new Error(`${packageName} was built with another libggml-base than ${base}; their versions differ`)
  }
  return join(folder, library)
}

function sameContent(left: string, right: string): boolean {
  const [a, b] = [left, right].map((path) => Bun.mmap(path))
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0
}

/** Fetches the CUDA package in the release of the base package, without recording it in package.json. */
async function installCuda(packageName: string, basePackage: string, root: string): Promise<void> {
  const wanted = await installedVersion(basePackage, root)
  if ((await installedVersion(packageName, root)) === wanted) return
  const command = ["npm", "install", "--no-save", `${packageName}@${wanted}`]
  console.log(`fetching ${packageName} ${wanted}: ${command.join(" ")}`)
  const child = Bun.spawn(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`)
}

async function installedVersion(packageName: string, root: string): Promise<string | undefined> {
  const manifest = Bun.file(join(root, "node_modules", packageName, "package.json"))
  // A package manifest always has a version.
  return (await manifest.exists()) ? ((await manifest.json()) as { version: string }).version : undefined
}
