import type { Io } from "./io"

const FRAMES = Array.from("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
const FRAME_MS = 100

/** A spinner on stderr. Shows nothing if that is not a terminal. */
export interface Spinner {
  say(text: string): void
  /** Erases the spinner until it turns again, so that a line can be printed. */
  hide(): void
  /** Erases the spinner permanently. */
  stop(): void
}

export function startSpinner(io: Pick<Io, "writeError" | "stderrIsTerminal" | "columns">): Spinner {
  if (!io.stderrIsTerminal) return { say() {}, hide() {}, stop() {} }
  let frame = 0
  let words = ""
  const draw = () => {
    // Only one row is erased.
    const shown = words.slice(0, Math.max(0, (io.columns ?? 80) - 4))
    io.writeError(`\r\x1b[K${shown === "" ? "" : `${shown} `}${FRAMES[frame++ % FRAMES.length]} `)
  }
  draw()
  const timer = setInterval(draw, FRAME_MS)
  let isOver = false
  return {
    say: (text) => {
      words = text
    },
    hide: () => {
      if (!isOver) io.writeError("\r\x1b[K")
    },
    stop: () => {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      io.writeError("\r\x1b[K")
    },
  }
}
