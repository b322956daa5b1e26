import { type ChildProcess, spawn } from "node:child_process"
import type { Readable } from "node:stream"
import { reasonOf } from "../../errors/base"
import { NativeLibraryError } from "../../errors/engine"
import { ProcessEnd } from "../../lib/process-end"
import { FRAME_START } from "../../protocol/messages"
import { encodeFrame, FrameReader } from "./frames"
import type { FromSidecar, ToSidecar } from "./sidecar-messages"

/** The file descriptor for messages; the library prints to stdout and stderr. */
const CHANNEL = 3

/** ggml's lines about every backend that it looks for, found or not: noise that would hide relevant ones. */
const NOISE = /^(ggml_backend_load_best|load_backend): /

/** The library's progress bar, such as `|####    | 492/1130 - 666.56MB/s`. */
const BAR = /^\|[#= >]*\| (\d+)\/(\d+) - /

export interface SidecarListener {
  onMessage(message: FromSidecar, bytes: Uint8Array): void
  /** Progress of the load, or of anything else with a progress bar; 0 to 1. */
  progress(fraction: number): void
  /** A line of its output. */
  line(text: string): void
  /** Called once; `how` continues a sentence about it. `signal`: the signal that killed it, if any. */
  ended(how: string, signal?: NodeJS.Signals): void
}

/** The sidecar process. It exits when this process does, for any reason. */
export class SidecarProcess {
  readonly #child: ChildProcess
  readonly #channel: NodeJS.WritableStream & Readable
  #isWanted = true

  /** @throws NativeLibraryError if it cannot be started */
  constructor(command: readonly string[], listener: SidecarListener) {
    const [program = "", ...rest] = command
    this.#child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe", "pipe"] })
    const channel = this.#child.stdio[CHANNEL]
    if (!isDuplex(channel)) throw new NativeLibraryError("the image engine could not be started")
    this.#channel = channel
    const frames = new FrameReader()
    channel.on("data", (bytes: Uint8Array) => {
      // Both sides are the same program.
      for (const { message, bytes: attached } of frames.push(bytes))
        listener.onMessage(message as FromSidecar, attached)
    })
    // The exit is reported below; writing to a process that just exited is no separate error.
    channel.on("error", () => {})
    this.#child.on("error", (error) => this.#end(listener, `could not be started: ${reasonOf(error)}`))
    const end = new ProcessEnd()
    this.#child.on("close", (exitCode, signal) =>
      this.#end(listener, end.describe({ exitCode, signal, isOurs: false }), signal ?? undefined),
    )
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream && readOutput(stream, listener)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: ToSidecar, bytes?: Uint8Array): void {
    this.#channel.write(encodeFrame(message, bytes))
  }

  /** Kills it without a call to the listener. */
  kill(): void {
    this.#isWanted = false
    this.#child.kill("SIGKILL")
  }

  #end(listener: SidecarListener, how: string, signal?: NodeJS.Signals): void {
    if (!this.#isWanted) return
    this.#isWanted = false
    listener.ended(how, signal)
  }
}

function isDuplex(stream: unknown): stream is NodeJS.WritableStream & Readable {
  return typeof stream === "object" && stream !== null && "write" in stream && "on" in stream
}

/** Lines end with a line feed, or with a carriage return when the library redraws its bar. */
function readOutput(stream: Readable, listener: SidecarListener): void {
  let rest = ""
  const emitLine = (text: string): void => {
    const fraction = fractionOf(text)
    if (fraction !== undefined) listener.progress(fraction)
    else if (text !== "" && !NOISE.test(text)) listener.line(text)
  }
  stream.setEncoding("utf8")
  stream.on("data", (text: string) => {
    const lines = (rest + text).split(/[\r\n]/).map((line) => Bun.stripANSI(line).trim())
    rest = lines.pop() ?? ""
    for (const line of lines) emitLine(line)
    // The latest bar has no line end until it is redrawn.
    if (fractionOf(rest) !== undefined) emitLine(rest)
  })
  stream.on("end", () => emitLine(rest))
}

function fractionOf(line: string): number | undefined {
  const [, done, all] = BAR.exec(line) ?? []
  return done === undefined ? undefined : Number(done) / Number(all)
}

/** The library's log levels as used in the frames on a worker's stderr. */
const FRAME_LEVELS = ["4", "3", "2", "1"]

/** A message of the library's log as a frame for the parent process, see {@link FRAME_START}. */
export function logFrame({ level, text }: Extract<FromSidecar, { type: "log" }>): string {
  return text
    .split("\n")
    .map((line) => `${FRAME_START}L${FRAME_LEVELS[level] ?? "1"} ${line}`)
    .join("\n")
}
