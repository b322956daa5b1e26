import { dlopen } from "bun:ffi"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const STDERR = 2

/**
 * Runs `action` and resolves to what the process, including native code, wrote to stderr meanwhile; all of it
 * is still forwarded to stderr. Undefined if this system does not support it.
 */
export async function watchErrorOutput(action: () => Promise<unknown>): Promise<string | undefined> {
  const libc = openLibc()
  if (libc === undefined) {
    await action()
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), "xllm-"))
  const path = join(folder, "stderr")
  const file = openSync(path, "a")
  const saved = libc.symbols.dup(STDERR)
  try {
    libc.symbols.dup2(file, STDERR)
    await action()
  } finally {
    libc.symbols.dup2(saved, STDERR)
    closeSync(saved)
    closeSync(file)
  }
  const written = readFileSync(path, "utf8")
  rmSync(folder, { recursive: true, force: true })
  process.stderr.write(written)
  return written
}

function openLibc() {
  try {
    return dlopen(process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6", {
      dup: { args: ["i32"], returns: "i32" },
      dup2: { args: ["i32", "i32"], returns: "i32" },
    })
  } catch {
    return undefined // another C library
  }
}
