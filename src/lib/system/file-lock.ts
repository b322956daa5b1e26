import { closeSync, openSync } from "node:fs"
import { LOCK_EXCLUSIVE, LOCK_NOW, openFlock } from "./flock"

const POLL_MS = 20

/**
 * Waits until no other process (nor this one) holds the lock on `path`, at most `patienceMs`; 0: one try. The kernel ends the
 * lock with its process, so a killed owner blocks nobody. It serves to save double work: what it protects must also
 * be correct without it, because some file systems have no locks and an owner may be stopped for ever.
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

/** Given back by scope (`using`). */
export class FileLock implements Disposable {
  constructor(
    /** Of the file that is locked; open as long as the scope lasts. */
    readonly descriptor: number,
    /** False where it was not to be had in time. */
    readonly held: boolean,
  ) {}

  [Symbol.dispose](): void {
    closeSync(this.descriptor)
  }
}
