import type { Subprocess } from "bun"
import { reasonOf } from "../../errors/base"
import { NativeLibraryError } from "../../errors/engine"
import { ProcessEnd } from "../../lib/process-end"
import { PROTOCOL_VERSION, type WorkerEnvironment } from "../../protocol/messages"
import type { Timeouts } from "./timeouts"
import { LastLines, textsOfLines, type WorkerLine, WorkerLineReader } from "./worker-lines"

/** How a child ended. */
export interface ChildEnd {
  /** A phrase that follows "the worker". */
  readonly how: string
  /** Its last output, oldest first. */
  readonly lastLines: readonly string[]
}

/** Callbacks of a child; called from the event loop, never from within one of the child's own methods. */
export interface ChildListener<From> {
  message(message: From): void
  line(line: WorkerLine): void
  /** Called once, after the last message and the last line. */
  ended(end: ChildEnd): void
}

type Child = Subprocess<"ignore", "ignore", "pipe">

/** One worker process, from start to end. */
export class WorkerChild<To, From> {
  readonly #child: Child
  readonly #limits: Timeouts
  readonly #lastLines = new LastLines()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  readonly #processEnd = new ProcessEnd()
  /** Killed by this side. */
  #isKilled = false
  #gone = false
  /** Settles once the process is gone and all its output has been handled. */
  readonly ended: Promise<void>

  /** @throws NativeLibraryError where the command cannot be started */
  constructor(command: readonly string[], limits: Timeouts, listener: ChildListener<From>) {
    this.#limits = limits
    const disconnected = Promise.withResolvers<void>()
    this.#child = spawn(
      command,
      // Both sides are the same program, and the first message carries the protocol's version.
      (message) => listener.message(message as From),
      disconnected.resolve,
    )
    const closed = Promise.allSettled([this.#readLines(listener), disconnected.promise])
    this.ended = this.#end(closed, listener)
  }

  get pid(): number {
    return this.#child.pid
  }

  /** The child's last output, oldest first; complete once it has ended. */
  get lastLines(): readonly WorkerLine[] {
    return this.#lastLines.lines
  }

  /** Returns false where the child is gone; the listener's `ended` has been called or will be. */
  send(message: To): boolean {
    try {
      this.#child.send(message)
      return true
    } catch {
      return false
    }
  }

  /** Kills it at once; it leaves nothing to clean up. */
  kill(): void {
    this.#isKilled = true
    this.#child.kill("SIGKILL")
  }

  /** Enforces the end of a child that was asked to stop. `moreMs`: beyond the usual grace. */
  endWithinGrace(moreMs = 0): void {
    const { termGraceMs } = this.#limits
    const stopGraceMs = this.#limits.stopGraceMs + moreMs
    this.#later(stopGraceMs, () => this.#child.kill("SIGTERM"))
    this.#later(stopGraceMs + termGraceMs, () => this.kill())
  }

  #later(ms: number, action: () => void): void {
    if (!this.#gone) this.#timers.add(setTimeout(action, ms))
  }

  async #readLines(listener: ChildListener<From>): Promise<void> {
    const reader = new WorkerLineReader()
    const decoder = new TextDecoder()
    const report = (lines: readonly WorkerLine[]) => {
      for (const line of lines) {
        this.#lastLines.add(line)
        listener.line(line)
      }
    }
    for await (const bytes of this.#child.stderr) report(reader.push(decoder.decode(bytes, { stream: true })))
    report(reader.end())
  }

  async #end(closed: Promise<unknown>, listener: ChildListener<From>): Promise<void> {
    await this.#child.exited
    this.#gone = true
    for (const timer of this.#timers) clearTimeout(timer)
    const drain = Promise.withResolvers<void>()
    const timer = setTimeout(drain.resolve, this.#limits.drainMs)
    // A process started by the worker may hold its stderr open indefinitely.
    await Promise.race([closed, drain.promise])
    clearTimeout(timer)
    const { exitCode, signalCode } = this.#child
    const signal = signalCode === null ? null : String(signalCode)
    const how = this.#processEnd.describe({ exitCode, signal, isOurs: this.#isKilled })
    listener.ended({ how, lastLines: textsOfLines(this.lastLines) })
  }
}

function spawn(command: readonly string[], ipc: (message: unknown) => void, onDisconnect: () => void): Child {
  try {
    return Bun.spawn({
      cmd: [...command],
      ipc,
      onDisconnect,
      serialization: "advanced",
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    })
  } catch (error) {
    throw new NativeLibraryError(`a worker process could not be started: ${reasonOf(error)}`, error)
  }
}

/** The first message to every worker. */
export function workerEnvironment(runtimeFolder: string): WorkerEnvironment {
  return { protocol: PROTOCOL_VERSION, runtimeFolder, parentPid: process.pid }
}
