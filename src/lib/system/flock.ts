import { dlopen } from "bun:ffi"

/** Operations of flock(2), the same on Linux and macOS; `NOW` makes it fail instead of waiting. */
export const LOCK_EXCLUSIVE = 2
export const LOCK_NOW = 4
export const LOCK_RELEASE = 8

/**
 * flock(2): 0 on success. The lock belongs to the open file: shared by all threads of a process, and released when
 * it is closed.
 */
export type Flock = (descriptor: number, operation: number) => number

let opened: { readonly flock: Flock | undefined } | undefined

/** Undefined where the system has no such call. */
export function openFlock(): Flock | undefined {
  opened ??= { flock: open() }
  return opened.flock
}

function open(): Flock | undefined {
  const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6"
  try {
    return dlopen(library, { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock
  } catch {
    return undefined
  }
}
