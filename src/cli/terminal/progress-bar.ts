import type { Io } from "./io"

const BAR_WIDTH = 30
const SHORTEST_BAR = 6
/** Its brackets, the blank behind it, and a column that stays free: a line that reaches the last one may be two. */
const BAR_FRAME = 4

/** How far something is that is done in steps. */
export interface Steps {
  /** Which of several things, from 1, and how many there are. */
  readonly item: number
  readonly items: number
  readonly step: number
  readonly steps: number
}

/** `[#########---------------------] step 6/20, 1.2 s each`, and which picture it is where there are several. */
export function stepLine(
  { item, items, step, steps }: Steps,
  msPerStep: number | undefined,
  columns = Infinity,
): string {
  const which = items > 1 ? `${item}/${items} ` : ""
  const pace = msPerStep === undefined ? "" : `, ${(msPerStep / 1000).toFixed(1)} s each`
  const behind = `step ${step}/${steps}${pace}`
  const width = Math.min(BAR_WIDTH, columns - which.length - behind.length - BAR_FRAME)
  if (width < SHORTEST_BAR) return `${which}${behind}`.slice(0, columns)
  const filled = Math.round((step / Math.max(1, steps)) * width)
  return `${which}[${"#".repeat(filled)}${"-".repeat(width - filled)}] ${behind}`
}

/** A bar on stderr, or nothing where that is no terminal. */
export class ProgressBar {
  readonly #io: Pick<Io, "writeError" | "stderrIsTerminal" | "columns">
  #lastAt: number | undefined
  #isShown = false

  constructor(io: Pick<Io, "writeError" | "stderrIsTerminal" | "columns">) {
    this.#io = io
  }

  /** To be called for every step. */
  show(steps: Steps): void {
    if (!this.#io.stderrIsTerminal) return
    const now = performance.now()
    const line = stepLine(
      steps,
      this.#lastAt === undefined ? undefined : now - this.#lastAt,
      this.#io.columns,
    )
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
