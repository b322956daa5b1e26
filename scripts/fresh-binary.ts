import { existsSync } from "node:fs"
import { join } from "node:path"
import { sourceHash } from "./source-hash"

const ROOT = join(import.meta.dir, "..")

/**
 * The path of an executable built from the current sources; builds it if necessary.
 * @throws Error if the build fails; its output is on stderr by then
 */
export async function freshBinary(): Promise<string> {
  const path = join(ROOT, "dist/xllm")
  if (await isFresh(path)) return path
  const child = Bun.spawn([process.execPath, "build.ts"], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  })
  if ((await child.exited) !== 0) throw new Error("the build failed")
  return path
}

async function isFresh(path: string): Promise<boolean> {
  const record = Bun.file(`${path}.json`)
  if (!existsSync(path) || !(await record.exists())) return false
  // Written next to the executable by build.ts.
  const { hash, flavour } = (await record.json()) as { hash: string; flavour: string }
  return flavour === "default" && hash === (await sourceHash(ROOT))
}
