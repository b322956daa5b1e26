import type { Io } from "./io"

const BAR_WIDTH = 30
const SHORTEST_BAR = 6
/**
 * The brackets, the space after the bar, and the last column, which stays free: some terminals wrap a line that
 * reaches it.
 */
const BAR_FRAME = 4

/** The progress of a task with steps. */
export interface Steps {
  /** The index of the current item, from 1, and their number. */
  readonly item: number
  readonly items: number
  readonly step: number
  readonly steps: number
}

/** `[#########---------------------] step 6/20, 1.2 s each`, with the image's number if there are several. */
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

/** A progress bar on stderr; shows nothing if that is not a terminal. */
export class ProgressBar {
  readonly #io: Pick<Io, "writeError" | "stderrIsTerminal" | "columns">
  #lastAt: number | undefined
  #isShown = false

  constructor(io: Pick<Io, "writeError" | "stderrIsTerminal" | "columns">) {
    this.#io = io
  }

  /** Called for every step. */
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

  /** Erases the bar. */
  clear(): void {
    if (this.#isShown) this.#io.writeError("\r\x1b[K")
    this.#isShown = false
  }
}
