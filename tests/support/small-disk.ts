import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "./temp-folder"

/** A small disk; undefined where this user may not make one. */
export function mountSmallDisk(path: string, megabytes: number): Disposable | undefined {
  mkdirSync(path, { recursive: true })
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path])
  if (mounted.exitCode !== 0) return undefined
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) }
}

/** Nothing can be written there any more; undefined where this user may not do that. */
export function mountReadOnly(path: string): Disposable | undefined {
  if (Bun.spawnSync(["mount", "--bind", path, path]).exitCode !== 0) return undefined
  if (Bun.spawnSync(["mount", "-o", "remount,ro,bind", path]).exitCode !== 0) return undefined
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) }
}

/** Whether tests with disks of their own can run here. */
export const canMount = (() => {
  using folder = tempFolder()
  using disk = mountSmallDisk(join(folder.path, "disk"), 1)
  return disk !== undefined
})()
if (!canMount) console.log("the tests with a small disk are skipped: this user cannot mount one")
