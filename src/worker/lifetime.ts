import { dlopen } from "bun:ffi"

/** `prctl(PR_SET_PDEATHSIG, SIGKILL)`, from linux/prctl.h and signal.h. */
const PR_SET_PDEATHSIG = 1
const SIGKILL = 9

/**
 * Makes this process exit when its parent does, for any reason and whatever native code is doing. On systems
 * other than Linux only the closed IPC channel shows it, which native code can delay.
 */
export function endWithParent(parentPid: number): void {
  process.on("disconnect", () => process.exit(0))
  requestDeathSignal()
  // The parent may have exited before the signal was requested.
  if (process.ppid !== parentPid) process.exit(0)
}

/** Asks the kernel to kill this process, also after exec, when its parent exits. Linux only. */
export function requestDeathSignal(): void {
  if (process.platform !== "linux") return
  try {
    const { symbols } = dlopen("libc.so.6", {
      prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    })
    symbols.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  } catch {
    // Another C library: rely on the IPC channel.
  }
}
