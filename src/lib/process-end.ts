import { oomKills } from "./system/oom-kills"

/** The end of a process as reported by the runtime. */
interface End {
  readonly exitCode: number | null
  readonly signal: string | null
  /** Killed by the caller. */
  readonly isOurs: boolean
}

/** Watches a process from its start, to explain its end. */
export class ProcessEnd {
  readonly #countKills: () => number | undefined
  readonly #killsBefore: number | undefined

  /** `countKills`: see {@link oomKills}. */
  constructor(countKills: () => number | undefined = oomKills) {
    this.#countKills = countKills
    this.#killsBefore = countKills()
  }

  /** A phrase that follows the name of the process. */
  describe({ exitCode, signal, isOurs }: End): string {
    if (signal === null) return `ended with exit code ${exitCode}`
    if (signal !== "SIGKILL") return `was terminated by ${signal}`
    return `was killed (SIGKILL)${isOurs ? "" : this.#whyKilled()}`
  }

  #whyKilled(): string {
    const [before, after] = [this.#killsBefore, this.#countKills()]
    if (before === undefined || after === undefined) return ", probably because the machine ran out of memory"
    return after > before
      ? " because the machine or its container ran out of memory"
      : " by another process; the kernel reports no lack of memory"
  }
}
