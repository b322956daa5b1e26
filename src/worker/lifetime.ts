import { dlopen } from "bun:ffi"

/** `prctl(PR_SET_PDEATHSIG, SIGKILL)`, from linux/prctl.h and signal.h. */
const PR_SET_PDEATHSIG = 1
const SIGKILL = 9

/**
 * Ties this process to its parent: it ends when the parent does, however that ends and whatever native code is doing
 * here. Elsewhere than on Linux only the closed IPC channel tells, which native code delays.
 */
export function endWithParent(parentPid: number): void {
  process.on("disconnect", () => process.exit(0))
  askForDeathSignal()
  // The parent may have ended before the signal was asked for.
  if (process.ppid !== parentPid) process.exit(0)
}

/** The kernel ends this process, and what it turns into by exec, when its parent ends. Linux only. */
export function askForDeathSignal(): void {
  if (process.platform !== "linux") return
  try {
    const { symbols } = dlopen("libc.so.6", {
      prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    })
    symbols.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  } catch {
    // Another C library: the IPC channel has to do.
  }
}
