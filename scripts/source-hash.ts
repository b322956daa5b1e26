import { join } from "node:path"

/** All inputs of the build. */
const INPUTS = [
  "src/**/*",
  "build.ts",
  "scripts/{components,llama-source,mtmd,pack,page,source-hash}.ts",
  "scripts/mtmd/*",
  "package.json",
  "package-lock.json",
]

/** A hash of the contents of all build inputs, to check whether an executable is up to date. */
export async function sourceHash(root: string): Promise<string> {
  const paths = INPUTS.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })])
  const hasher = new Bun.CryptoHasher("sha256").update(Bun.version)
  for (const path of paths.sort()) {
    hasher.update(`\n${path}\n`).update(await Bun.file(join(root, path)).bytes())
  }
  return hasher.digest("hex")
}
