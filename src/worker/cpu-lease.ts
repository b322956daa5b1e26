import { mkdirSync, openSync } from "node:fs"
import { join } from "node:path"
import { type Flock, LOCK_EXCLUSIVE, LOCK_NOW, LOCK_RELEASE, openFlock } from "../lib/system/flock"

/** How the two lock files are handed to the thread that waits. */
export interface LeaseDescriptors {
  readonly queue: number
  readonly turn: number
}

/** Steps without waiting after which the other workers are taken to be idle. */
const STEPS_UNTIL_ALONE = 50

/**
 * Turns of the processes that compute on the same cores: ggml's threads spin until all of them are there, so two
 * models that compute at once slow each other down to a crawl, and by turns they do not.
 *
 * Two locks make it fair. Who wants a turn first takes the queue, holds it while waiting for the turn, and gives it
 * up when the turn comes; who has just had one therefore comes after whoever waits. The kernel gives locks back when
 * their holder ends. Waiting happens in a thread, so that the worker still hears its parent and shows life.
 */
export class CpuLease {
  readonly #flock: Flock | undefined
  readonly #descriptors: LeaseDescriptors
  #thread: Worker | undefined
  #stepsAlone = STEPS_UNTIL_ALONE

  /**
   * `folder`: the same for all processes that share the cores.
   * @throws the file system's error where the folder cannot be written
   */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    this.#flock = openFlock()
    this.#descriptors = {
      queue: openSync(join(folder, "cpu-queue"), "a", 0o600),
      turn: openSync(join(folder, "cpu-turn"), "a", 0o600),
    }
  }

  /** Has another process been computing a moment ago? */
  get contended(): boolean {
    return this.#stepsAlone < STEPS_UNTIL_ALONE
  }

  /** True where the turn was free and is ours now. Otherwise call {@link wait}. */
  tryTake(): boolean {
    const { queue, turn } = this.#descriptors
    const taken = this.#lockNow(queue) && this.#lockNow(turn)
    this.#flock?.(queue, LOCK_RELEASE)
    if (taken) this.#stepsAlone++
    return taken
  }

  /** Waits for the turn, behind those who wait already. */
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

/** Without the folder there are no turns: slower beside another model, but no reason not to run. */
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
