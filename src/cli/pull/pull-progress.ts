import type { PullEvent } from "../../store/pull/events"
import type { Io } from "../terminal/io"
import { formatBytes, printable } from "../terminal/output"

/** Shows the events of a pull. */
export interface PullProgress {
  show(event: PullEvent): void
  /** Called after the last event: restores the terminal. */
  end(): void
}

/** The redraw interval of bars. */
const DRAW_MS = 100
/** Rates are averaged over this time. */
const RATE_MS = 10_000
/** More files than this share one bar. */
const MOST_BARS = 8
/** Piped output gets a line every so many per cent. */
const STEP_PERCENT = 10
const BAR_WIDTH = 24
const SHORTEST_BAR = 6
/** Both ends and a space on each side. */
const BAR_FRAME = 4
/** The longest texts after a bar: sizes, rate and time; sizes and rate; sizes only. */
const ENDS = [33, 24, 13]

/** The progress of a file, or of all files together. */
interface Progress {
  readonly status: string
  readonly completed: number
  readonly total: number | undefined
  /** How many files the pull has. */
  readonly files: number
}

/** The recent rate in bytes per second. */
export class Rate {
  readonly #samples: { readonly at: number; readonly bytes: number }[] = []

  add(at: number, bytes: number): void {
    this.#samples.push({ at, bytes })
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > RATE_MS) this.#samples.shift()
  }

  /** `undefined` until there are two samples. */
  get perSecond(): number | undefined {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at === first.at) return undefined
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000
  }
}

/**
 * `pulling 74701a8c35f6:  43% ▕█████     ▏ 560 MB/1.3 GB   54 MB/s     13s`, fitted to `columns`: first the bar is
 * shortened, then the remaining time and the rate are dropped, then the name is cut.
 */
export function progressLine(
  { status, completed, total }: Omit<Progress, "files">,
  rate: number | undefined,
  columns = Infinity,
): string {
  if (total === undefined) return cut(`${status}: ${formatBytes(completed)}   ${rateText(rate)}`, columns)
  const fraction = total === 0 ? 1 : Math.min(1, completed / total)
  const start = `${status}: ${`${Math.floor(fraction * 100)}`.padStart(3)}%`
  const left = rate === undefined || rate <= 0 ? "" : timeLeft((total - completed) / rate)
  const isOver = completed >= total
  const sizes = isOver ? formatBytes(total) : `${formatBytes(completed)}/${formatBytes(total)}`
  const more = isOver ? [] : [rateText(rate), left.padStart(6)]
  const room = columns - Bun.stringWidth(start) - BAR_FRAME
  for (const [count, ends] of ENDS.entries()) {
    const width = Math.min(BAR_WIDTH, room - ends)
    if (width < SHORTEST_BAR) continue
    const end = [sizes, ...more.slice(0, ENDS.length - 1 - count)].join("   ")
    return `${start} ${bar(fraction, width)} ${end}`.trimEnd()
  }
  return cut(`${start} ${sizes}`, columns)
}

function bar(fraction: number, width: number): string {
  const filled = Math.floor(fraction * width)
  return `▕${"█".repeat(filled)}${" ".repeat(width - filled)}▏`
}

/** A line that wraps would take two rows, of which only one is erased. */
function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`
}

function rateText(rate: number | undefined): string {
  return (rate === undefined ? "" : `${formatBytes(Math.round(rate))}/s`).padStart(8)
}

/** At most two units: `13s`, `2m5s`, `1h20m`, `99h+`. */
export function timeLeft(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole >= 100 * 3600) return "99h+"
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m${whole % 60}s`
  return `${Math.floor(whole / 3600)}h${Math.floor((whole % 3600) / 60)}m`
}

/** Bars on a terminal, lines where stderr is piped. */
export function pullProgress(io: Pick<Io, "writeError" | "stderrIsTerminal" | "columns">): PullProgress {
  return io.stderrIsTerminal ? new BarView(io) : new LineView(io)
}

/** Bars for files being downloaded, below the finished ones. */
class BarView implements PullProgress {
  readonly #io: Pick<Io, "writeError" | "columns">
  readonly #files = new Map<string, Progress>()
  readonly #rates = new Map<string, Rate>()
  readonly #timer: ReturnType<typeof setInterval>
  /** Shown with a spinner while no bar moves. */
  #status: string | undefined
  #drawn = 0
  #frame = 0

  constructor(io: Pick<Io, "writeError" | "columns">) {
    this.#io = io
    this.#timer = setInterval(() => this.#draw(), DRAW_MS)
  }

  show(event: PullEvent): void {
    switch (event.type) {
      case "progress":
        this.#status = undefined
        return void this.#files.set(event.id, event)
      case "note":
        return this.#print([printable(event.text)])
      case "status":
        this.#keepBars()
        return this.#nextStatus(event.status)
      default:
        event satisfies never
    }
  }

  end(): void {
    clearInterval(this.#timer)
    const status = this.#status
    this.#status = undefined
    this.#keepBars()
    if (status !== undefined) this.#print([status])
  }

  #nextStatus(status: string): void {
    const last = this.#status
    this.#status = status
    if (last !== undefined) this.#print([last])
  }

  /** Turns the current bars into permanent text. */
  #keepBars(): void {
    const lines = this.#barLines()
    this.#files.clear()
    if (lines.length > 0) this.#print(lines)
  }

  #barLines(): readonly string[] {
    const now = performance.now()
    return barsOf([...this.#files]).map(([id, progress]) => {
      const rate = this.#rates.get(id) ?? new Rate()
      this.#rates.set(id, rate)
      rate.add(now, progress.completed)
      return progressLine(progress, rate.perSecond, this.#width)
    })
  }

  #print(lines: readonly string[]): void {
    this.#io.writeError(this.#erase() + lines.map((line) => `${line}\n`).join(""))
    this.#draw()
  }

  #draw(): void {
    const frame = Array.from("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[this.#frame++ % 10]
    const lines = [
      ...this.#barLines(),
      ...(this.#status === undefined ? [] : [`${cut(this.#status, this.#width - 2)} ${frame}`]),
    ]
    const text = this.#erase() + lines.map((line) => `${line}\n`).join("")
    this.#drawn = lines.length
    // A synchronised update: terminals that support it show the new frame at once.
    if (text !== "") this.#io.writeError(`\x1b[?2026h${text}\x1b[?2026l`)
  }

  /** The last column stays free: some terminals wrap a line that reaches it. */
  get #width(): number {
    return (this.#io.columns ?? 80) - 1
  }

  #erase(): string {
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`
    this.#drawn = 0
    return up
  }
}

/** One bar per file, or one for all if there are too many. */
function barsOf(files: readonly (readonly [string, Progress])[]): readonly (readonly [string, Progress])[] {
  const all = files.map(([, progress]) => progress)
  const count = all[0]?.files ?? 0
  if (count <= MOST_BARS) return files
  // Every file is announced before any of them progresses.
  if (all.length < count) return []
  const total = all.some((each) => each.total === undefined)
    ? undefined
    : all.reduce((sum, each) => sum + (each.total ?? 0), 0)
  const completed = all.reduce((sum, each) => sum + each.completed, 0)
  return [["all", { status: `pulling ${count} files`, completed, total, files: count }]]
}

/** Few lines, without escape codes. */
class LineView implements PullProgress {
  readonly #io: Pick<Io, "writeError">
  readonly #files = new Map<string, Progress>()
  /** The percentage last printed for each bar. */
  readonly #said = new Map<string, number>()

  constructor(io: Pick<Io, "writeError">) {
    this.#io = io
  }

  show(event: PullEvent): void {
    if (event.type === "note") return this.#say(event.text)
    if (event.type === "status") return this.#say(event.status)
    this.#files.set(event.id, event)
    for (const [id, progress] of barsOf([...this.#files])) this.#print(id, progress)
  }

  end(): void {}

  #print(id: string, { status, completed, total }: Progress): void {
    if (total === undefined) return
    const percent = total === 0 ? 100 : Math.floor((completed / total) * 100)
    const step = percent - (percent % STEP_PERCENT)
    const last = this.#said.get(id)
    if (last !== undefined && step <= last) return
    this.#said.set(id, step)
    this.#say(`${status}: ${step}% of ${formatBytes(total)}`)
  }

  #say(line: string): void {
    this.#io.writeError(`${printable(line)}\n`)
  }
}

/** One JSON object per line, in the form of Ollama's API. */
export class JsonView implements PullProgress {
  readonly #write: (text: string) => void
  readonly #printedAt = new Map<string, number>()

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  show(event: PullEvent): void {
    if (event.type === "status") return this.#line({ status: event.status })
    if (event.type === "note") return this.#line({ status: event.text })
    const { status, id, digest, total, completed } = event
    const now = performance.now()
    const isLast = completed === total
    if (!isLast && now - (this.#printedAt.get(id) ?? -Infinity) < DRAW_MS) return
    this.#printedAt.set(id, now)
    this.#line({
      status,
      ...(digest !== undefined && { digest }),
      ...(total !== undefined && { total }),
      completed,
    })
  }

  end(): void {}

  #line(value: object): void {
    this.#write(`${JSON.stringify(value)}\n`)
  }
}
