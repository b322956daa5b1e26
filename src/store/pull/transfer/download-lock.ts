import { fstatSync, statSync } from "node:fs"
import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { lockFile } from "../../../lib/system/file-lock"
import { canLock } from "../../layout"

export const LOCK_ENDING = ".lock"
/** How often a waiting call checks whether it was cancelled. */
const LOOK_MS = 200

export interface DownloadLock extends AsyncDisposable {
  /** Another download held the lock, and may have done the work. */
  readonly hasWaited: boolean
}

/**
 * Waits until no other download of `key`, in any process, is running.
 * @param onWait called repeatedly while waiting
 * @throws the signal's reason
 */
export async function lockDownload(
  folder: string,
  key: string,
  onWait: () => void,
  signal: AbortSignal,
): Promise<DownloadLock> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, key + LOCK_ENDING)
  for (let hasWaited = false; ; hasWaited = true) {
    signal.throwIfAborted()
    const lock = await lockFile(path, hasWaited ? LOOK_MS : 0)
    const isOurs = lock.held && isStill(lock.descriptor, path)
    // Without locks, two downloads of one file may disturb each other; the checksum detects it.
    if (isOurs || (!lock.held && !hasWaited && !(await canLock(folder)))) {
      return {
        hasWaited,
        async [Symbol.asyncDispose]() {
          // Removed while held: anyone who opened the file meanwhile notices that it is no longer the one at its
          // path.
          await rm(path, { force: true })
          lock[Symbol.dispose]()
        },
      }
    }
    lock[Symbol.dispose]()
    onWait()
  }
}

/** Its last holder may have removed the file between our opening and locking it. */
function isStill(descriptor: number, path: string): boolean {
  try {
    return fstatSync(descriptor).ino === statSync(path).ino
  } catch {
    return false
  }
}
