import { dlopen, ptr } from "bun:ffi"
import { getPriority, setPriority } from "node:os"
import { NativeLibraryError } from "../../errors/engine"
import { requestDeathSignal } from "../lifetime"

/**
 * Niceness of the sidecar above its parent's. Concurrent text generation gets ten times its share of a core;
 * on an idle machine it makes no difference. Fewer threads would help more, but the library fixes their
 * number when it loads.
 */
const NICENESS = 10
/** The maximum (nice(2)). */
const MOST_NICENESS = 19

/** From signal.h. */
const SIGINT = 2
const SIG_IGN = 1

/**
 * Replaces this process with the sidecar, after a setup that the sidecar cannot do itself: it exits with its
 * parent whatever native code is doing, runs at lower priority, and leaves Ctrl-C to its parent.
 * @throws NativeLibraryError if the program cannot be started
 */
export function execSidecar(command: readonly string[]): never {
  requestDeathSignal()
  setPriority(Math.min(MOST_NICENESS, getPriority() + NICENESS))
  const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6"
  const { symbols } = dlopen(library, {
    signal: { args: ["i32", "u64"], returns: "u64" },
    execv: { args: ["ptr", "ptr"], returns: "i32" },
  })
  symbols.signal(SIGINT, BigInt(SIG_IGN))
  const texts = command.map((argument) => Buffer.from(`${argument}\0`))
  // execv expects a null-terminated array.
  const pointers = new BigUint64Array([...texts.map((text) => BigInt(ptr(text))), 0n])
  const [program] = texts
  if (program !== undefined) symbols.execv(ptr(program), ptr(pointers))
  throw new NativeLibraryError(`${command[0]} cannot be started`)
}
