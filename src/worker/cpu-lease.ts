import { mkdirSync, openSync } from "node:fs"
import { join } from "node:path"
import { type Flock, LOCK_EXCLUSIVE, LOCK_NOW, LOCK_RELEASE, openFlock } from "../lib/system/flock"

/** The descriptors of the two lock files, passed to the waiting thread. */
export interface LeaseDescriptors {
  readonly queue: number
  readonly turn: number
}

/** Steps without waiting after which other workers are considered idle. */
const STEPS_UNTIL_ALONE = 50

/**
 * A lease on the CPU shared by processes on the same cores. ggml's threads spin until all of them arrive, so
 * two models that compute at the same time slow each other to a crawl; taking turns avoids this.
 *
 * Two locks make it fair. A process first takes the queue lock, holds it while waiting for the lease, and
 * releases it when it gets the lease; so a process that just had the lease comes after those waiting. The
 * kernel releases locks when their holder exits. Waiting happens in a thread, so that the worker can still
 * receive messages and send heartbeats.
 */
export class CpuLease {
  readonly #flock: Flock | undefined
  readonly #descriptors: LeaseDescriptors
  #thread: Worker | undefined
  #stepsAlone = STEPS_UNTIL_ALONE

  /**
   * `folder`: the same for all processes that share the cores.
   * @throws the file system's error if the folder cannot be written
   */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    this.#flock = openFlock()
    this.#descriptors = {
      queue: openSync(join(folder, "cpu-queue"), "a", 0o600),
      turn: openSync(join(folder, "cpu-turn"), "a", 0o600),
    }
  }

  /** Did another process compute recently? */
  get contended(): boolean {
    return this.#stepsAlone < STEPS_UNTIL_ALONE
  }

  /** Returns true if the lease was free and is now held. Otherwise call {@link wait}. */
  tryTake(): boolean {
    const { queue, turn } = this.#descriptors
    const taken = this.#lockNow(queue) && this.#lockNow(turn)
    this.#flock?.(queue, LOCK_RELEASE)
    if (taken) this.#stepsAlone++
    return taken
  }

  /** Waits for the lease, behind earlier waiters. */
  wait(): Promise<void> {
    this.#stepsAlone = 0
    this.#thread ??= new Worker(new URL("./cpu-lease-thread.ts", import.meta.url).href)
    const thread = this.#thread
    return new Promise((resolve, reject) => {
      thread.onmessage = () => resolve()
      thread.onerror = (event) => reject(new Error(event.message))
      thread.postMessage(this.#descriptors)
    })
  }

  giveBack(): void {
    this.#flock?.(this.#descriptors.turn, LOCK_RELEASE)
  }

  #lockNow(descriptor: number): boolean {
    return this.#flock === undefined || this.#flock(descriptor, LOCK_EXCLUSIVE | LOCK_NOW) === 0
  }
}

/** Without the folder there is no lease: slower next to another model, but the worker still runs. */
export function openCpuLease(folder: string): CpuLease | undefined {
  try {
    return new CpuLease(folder)
  } catch (error) {
    console.error(
      `models do not take turns on the CPU: ${error instanceof Error ? error.message : String(error)}`,
    )
    return undefined
  }
}
