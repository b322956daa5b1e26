import { dlopen, ptr } from "bun:ffi"
import { getPriority, setPriority } from "node:os"
import { NativeLibraryError } from "../../errors/engine"
import { askForDeathSignal } from "../lifetime"

/**
 * How far behind its parent the process that draws stands. Text that streams at the same time has ten times its share of
 * a core; where nothing else runs it makes no difference. Fewer threads would do more, but the library fixes their
 * number when it loads.
 */
const NICENESS = 10
/** As far as it goes (nice(2)). */
const MOST_NICENESS = 19

/** From signal.h. */
const SIGINT = 2
const SIG_IGN = 1

/**
 * Turns this process into the one that draws, which could not do for itself what is done here first: it ends with its
 * parent whatever native code is doing, gives way to others, and leaves Ctrl-C to its parent.
 * @throws NativeLibraryError where the program cannot be started
 */
export function execSidecar(command: readonly string[]): never {
  askForDeathSignal()
  setPriority(Math.min(MOST_NICENESS, getPriority() + NICENESS))
  const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6"
  const { symbols } = dlopen(library, {
    signal: { args: ["i32", "u64"], returns: "u64" },
    execv: { args: ["ptr", "ptr"], returns: "i32" },
  })
  symbols.signal(SIGINT, BigInt(SIG_IGN))
  const texts = command.map((argument) => Buffer.from(`${argument}\0`))
  // The array ends with a null pointer.
  const pointers = new BigUint64Array([...texts.map((text) => BigInt(ptr(text))), 0n])
  const [program] = texts
  if (program !== undefined) symbols.execv(ptr(program), ptr(pointers))
  throw new NativeLibraryError(`${command[0]} cannot be started`)
}
