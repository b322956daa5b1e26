import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "./temp-folder"

/** Mounts a small disk; undefined if this user may not. */
export function mountSmallDisk(path: string, megabytes: number): Disposable | undefined {
  mkdirSync(path, { recursive: true })
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path])
  if (mounted.exitCode !== 0) return undefined
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) }
}

/** Makes a folder read-only; undefined if this user may not. */
export function mountReadOnly(path: string): Disposable | undefined {
  if (Bun.spawnSync(["mount", "--bind", path, path]).exitCode !== 0) return undefined
  if (Bun.spawnSync(["mount", "-o", "remount,ro,bind", path]).exitCode !== 0) return undefined
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) }
}

/** Can tests that mount disks run here? */
export const canMount = (() => {
  using folder = tempFolder()
  using disk = mountSmallDisk(join(folder.path, "disk"), 1)
  return disk !== undefined
})()
if (!canMount) console.log("the tests with a small disk are skipped: this user cannot mount one")
