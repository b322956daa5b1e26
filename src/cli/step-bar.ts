import type { Io } from "./io"

const BAR_WIDTH = 30

/** How far something is that is done in steps. */
export interface Steps {
  /** Which of several things, from 1, and how many there are. */
  readonly item: number
  readonly items: number
  readonly step: number
  readonly steps: number
}

/** `[#########---------------------] step 6/20, 1.2 s each`, and which picture it is where there are several. */
export function stepLine({ item, items, step, steps }: Steps, msPerStep: number | undefined): string {
  const filled = Math.round((step / Math.max(1, steps)) * BAR_WIDTH)
  const bar = `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`
  const which = items > 1 ? `${item}/${items} ` : ""
  const pace = msPerStep === undefined ? "" : `, ${(msPerStep / 1000).toFixed(1)} s each`
  return `${which}${bar} step ${step}/${steps}${pace}`
}

/** A bar on stderr, or nothing where that is no terminal. */
export class StepBar {
  readonly #io: Pick<Io, "writeError" | "stderrIsTerminal">
  #lastAt: number | undefined
  #isShown = false

  constructor(io: Pick<Io, "writeError" | "stderrIsTerminal">) {
    this.#io = io
  }

  /** To be called for every step. */
  show(steps: Steps): void {
    if (!this.#io.stderrIsTerminal) return
    const now = performance.now()
    const line = stepLine(steps, this.#lastAt === undefined ? undefined : now - this.#lastAt)
    this.#lastAt = now
    this.#isShown = true
    this.#io.writeError(`\r\x1b[K${line}`)
  }

  /** Wipes it away. */
  clear(): void {
    if (this.#isShown) this.#io.writeError("\r\x1b[K")
    this.#isShown = false
  }
}
