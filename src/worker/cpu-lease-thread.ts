/** The thread that waits for a worker's CPU lease, see `cpu-lease.ts`. */
import { type Flock, LOCK_EXCLUSIVE, LOCK_RELEASE, openFlock } from "../lib/system/flock"
import type { LeaseDescriptors } from "./cpu-lease"

declare const self: Worker

let flock: Flock | undefined

/** A signal may interrupt the call; retry then. */
function lock(descriptor: number): void {
  while (flock?.(descriptor, LOCK_EXCLUSIVE) === -1) continue
}

self.onmessage = ({ data }: MessageEvent<LeaseDescriptors>) => {
  flock ??= openFlock()
  lock(data.queue)
  lock(data.turn)
  flock?.(data.queue, LOCK_RELEASE)
  postMessage("taken")
}
