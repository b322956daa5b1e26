import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Component } from "../src/native/extract"
import {
  bareRuntimePackage,
  ENGINE_PACKAGE,
  enginePackageFolder,
  RUNTIME_FILE,
  SIDECAR_FILE,
  SIDECAR_PACKAGES,
} from "../src/native/image-engine"
import type { PackSource } from "./pack"
import { installPackage } from "./packages"

/** The files we use of the engine's own package; its other JavaScript is for video. */
const ENGINE_FILES = ["package.json", "addon.js", "binding.js", "LICENSE", "NOTICE"]
const ADDON = "qvac__diffusion-cpp"
const VULKAN_BACKEND = "libqvac-diffusion-ggml-vulkan.so"

type Wanted = readonly [Component["name"], readonly PackSource[]]

/** The image engine as components, with its Vulkan backend separate; empty if the platform has none. */
export async function imageComponents(withVulkan: boolean, root: string): Promise<Wanted[]> {
  const runtime = bareRuntimePackage(process.platform, process.arch)
  if (runtime === undefined) return []
  for (const name of [runtime, ENGINE_PACKAGE]) await installPackage(name, root)
  const target = `${process.platform}-${process.arch}`
  const prebuilds = join(folderOf(ENGINE_PACKAGE), "prebuilds")
  const vulkan = `${target}/${ADDON}/${VULKAN_BACKEND}`
  const image: PackSource[] = [
    { name: RUNTIME_FILE, path: join(folderOf(runtime), "bin", RUNTIME_FILE) },
    { name: `${RUNTIME_FILE}.NOTICE`, path: join(folderOf(runtime), "NOTICE") },
    { name: SIDECAR_FILE, path: join(root, "src/worker/diffusion", SIDECAR_FILE) },
    ...[...ENGINE_FILES, `prebuilds/${target}/${ADDON}.bare`].map((file) => inPackage(ENGINE_PACKAGE, file)),
    ...(await packagesWithDependencies(SIDECAR_PACKAGES)).flatMap((name) => sourcesOf(name, target)),
  ]
  const hasVulkan = withVulkan && existsSync(join(prebuilds, vulkan))
  return [
    ["image", image],
    ...(hasVulkan ? ([["image-vulkan", [{ name: vulkan, path: join(prebuilds, vulkan) }]]] as const) : []),
  ]
}

function folderOf(name: string): string {
  const folder = enginePackageFolder(name)
  if (folder === undefined) throw new Error(`the package ${name} cannot be found`)
  return folder
}

function inPackage(name: string, file: string): PackSource {
  return { name: `node_modules/${name}/${file}`, path: join(folderOf(name), file) }
}

/** All runtime files of a package, and its licence. */
function sourcesOf(name: string, target: string): PackSource[] {
  const folder = folderOf(name)
  const files = ["package.json", "LICENSE*", "NOTICE", "**/*.js", `prebuilds/${target}/*.bare`].flatMap(
    (pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: folder })],
  )
  return files.sort().map((file) => inPackage(name, file))
}

/** The packages and their dependencies, sorted. */
async function packagesWithDependencies(names: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  const open = [...names]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    found.add(name)
    // npm guarantees its shape.
    const { dependencies = {} } = (await Bun.file(join(folderOf(name), "package.json")).json()) as {
      readonly dependencies?: Readonly<Record<string, string>>
    }
    open.push(...Object.keys(dependencies))
  }
  return [...found].sort()
}
