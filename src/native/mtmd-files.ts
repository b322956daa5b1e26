import { existsSync } from "node:fs"
import { join } from "node:path"
import { optionalDependencies } from "../../package.json"

/** The library that turns pictures and sounds into embeddings. */
export const MTMD_LIBRARY = process.platform === "darwin" ? "libmtmd.dylib" : "libmtmd.so"

/** Where the build compiles it to, below the project's folder. No package contains it. */
export function compiledMtmd(root: string): string {
  return join(root, `.cache/mtmd-${optionalDependencies["@node-llama-cpp/linux-x64"]}`, MTMD_LIBRARY)
}

/** In development: the path of the library, if it was compiled. */
export function installedMtmd(): string | undefined {
  const path = compiledMtmd(join(import.meta.dir, "../.."))
  return existsSync(path) ? path : undefined
}

/** Is the library in this executable or, in development, compiled? Loads and extracts nothing. */
export async function hasMtmd(): Promise<boolean> {
  if (!Bun.isStandaloneExecutable) return installedMtmd() !== undefined
  const { components } = await import("./embedded")
  return components.some(({ name }) => name === "mtmd")
}
