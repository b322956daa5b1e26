import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const FILES = {
  1: {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    kills: "memory.oom_control",
    used: "total_rss",
  },
  2: { root: "/sys/fs/cgroup", limit: "memory.max", kills: "memory.events", used: "anon" },
} as const

/** A control group whose processes have limited memory. */
export class MemoryGroup implements Disposable {
  readonly #folder: string
  readonly #files: (typeof FILES)[1 | 2]

  private constructor(folder: string, files: (typeof FILES)[1 | 2]) {
    this.#folder = folder
    this.#files = files
  }

  /** Undefined where this process may not make one. */
  static create(): MemoryGroup | undefined {
    for (const files of Object.values(FILES)) {
      const folder = join(files.root, `xllm-test-${process.pid}`)
      try {
        mkdirSync(folder)
      } catch {
        continue
      }
      if (existsSync(join(folder, files.limit))) return new MemoryGroup(folder, files)
      rmdirSync(folder)
    }
    return undefined
  }

  /** Takes in a process; those that it starts from now on belong to the group as well. */
  add(pid: number): void {
    writeFileSync(join(this.#folder, "cgroup.procs"), String(pid))
  }

  limit(bytes: number): void {
    writeFileSync(join(this.#folder, this.#files.limit), String(Math.floor(bytes)))
  }

  /** Bytes that its processes use, apart from files that can be read again. */
  get usedBytes(): number {
    const text = readFileSync(join(this.#folder, "memory.stat"), "latin1")
    return Number(new RegExp(`^${this.#files.used} (\\d+)$`, "m").exec(text)?.[1] ?? 0)
  }

  /** How many processes the kernel has ended for want of memory. */
  get kills(): number {
    const text = readFileSync(join(this.#folder, this.#files.kills), "latin1")
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
  }

  /** Its processes must have ended. */
  [Symbol.dispose](): void {
    rmdirSync(this.#folder)
  }
}
