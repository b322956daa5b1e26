import { dlopen } from "bun:ffi"
import { closeSync, openSync } from "node:fs"

/** `POSIX_FADV_DONTNEED`, from fcntl.h. */
const DONTNEED = 4

/**
 * Asks the system to forget the cached pages of a file, so that the next load reads it from the disk. Pages that other
 * processes have mapped stay. Linux only; false elsewhere.
 */
export function forgetCached(path: string): boolean {
  if (process.platform !== "linux") return false
  try {
    const { symbols } = dlopen("libc.so.6", {
      posix_fadvise: { args: ["i32", "i64", "i64", "i32"], returns: "i32" },
    })
    const file = openSync(path, "r")
    try {
      return symbols.posix_fadvise(file, 0, 0, DONTNEED) === 0
    } finally {
      closeSync(file)
    }
  } catch {
    return false
  }
}
