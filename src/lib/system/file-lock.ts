import { closeSync, openSync } from "node:fs"
import { LOCK_EXCLUSIVE, LOCK_NOW, openFlock } from "./flock"

const POLL_MS = 20

/**
 * Waits up to `patienceMs` (0: one try) until no other process, nor this one, holds the lock on `path`. The kernel
 * releases the lock with its process, so a killed owner blocks nothing. It only saves duplicate work: the protected
 * code must also be correct without it, because some file systems have no locks and an owner may be suspended
 * indefinitely.
 * @throws the file system's error where `path` cannot be created
 */
export async function lockFile(path: string, patienceMs: number): Promise<FileLock> {
  const descriptor = openSync(path, "a", 0o600)
  const flock = openFlock()
  const giveUpAt = performance.now() + patienceMs
  if (flock === undefined) return new FileLock(descriptor, false)
  for (;;) {
    if (flock(descriptor, LOCK_EXCLUSIVE | LOCK_NOW) === 0) return new FileLock(descriptor, true)
    if (performance.now() >= giveUpAt) return new FileLock(descriptor, false)
    await Bun.sleep(POLL_MS)
  }
}

/** The same with a single try. @throws the file system's error where `path` cannot be created */
export function tryLockFile(path: string): FileLock {
  const descriptor = openSync(path, "a", 0o600)
  return new FileLock(descriptor, openFlock()?.(descriptor, LOCK_EXCLUSIVE | LOCK_NOW) === 0)
}

/** Released by scope (`using`). */
export class FileLock implements Disposable {
  constructor(
    /** Of the locked file; open until the end of the scope. */
    readonly descriptor: number,
    /** False where it could not be acquired in time. */
    readonly held: boolean,
  ) {}

  [Symbol.dispose](): void {
    closeSync(this.descriptor)
  }
}
