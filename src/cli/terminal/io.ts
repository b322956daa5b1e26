import { type Environment, processEnvironment } from "../../config/environment"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { BODY_BYTES } from "../../limits"
import { failureText } from "./failure"

/** The streams and variables that a command works with. */
export interface Io {
  readonly environment: Environment
  /** Somebody watches: redrawing and escape codes make sense. */
  readonly stdinIsTerminal: boolean
  readonly stdoutIsTerminal: boolean
  /** Not so of one that cannot be drawn on (TERM=dumb): what is shown on it for a while would stay. */
  readonly stderrIsTerminal: boolean
  /** How wide the terminal is that is written to; absent: none is, or it cannot be drawn on. */
  readonly columns: number | undefined
  /** Resolves when more may be written; fast streams resolve at once. */
  write(text: string): void
  writeError(text: string): void
  /** As {@link write}, for what is no text. */
  writeBytes(bytes: Uint8Array): void
  /** Everything that comes in, until its end. @throws FileFailed */
  readInput(): Promise<string>
  /** The same as bytes, as they come. @throws FileFailed */
  inputBytes(): AsyncIterable<Uint8Array>
  /** Aborted when the reader of stdout has gone (`| head`): go on quietly, or stop. */
  readonly outputClosed: AbortSignal
}

/** What writing to a pipe that nobody reads and to a terminal that was closed fails with. */
const GONE = new Set(["EPIPE", "EIO"])

/** The process's own streams. */
export function processIo(): Io {
  const closed = new AbortController()
  const environment = processEnvironment()
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (!closed.signal.aborted && !GONE.has(error.code ?? "")) {
      const failure = new FileFailed("write", "standard output", error)
      process.stderr.write(`Error: ${failureText(failure, environment)}\n`)
      process.exitCode = 1
    }
    closed.abort()
  })
  // Nobody is left who could be told.
  process.stderr.on("error", () => {})
  return {
    environment,
    stdinIsTerminal: process.stdin.isTTY === true,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true && environment["TERM"] !== "dumb",
    get columns() {
      if (environment["TERM"] === "dumb") return undefined
      return process.stdout.isTTY
        ? process.stdout.columns
        : process.stderr.isTTY
          ? process.stderr.columns
          : undefined
    },
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    writeBytes: (bytes) => void process.stdout.write(bytes),
    inputBytes,
    readInput,
    outputClosed: closed.signal,
  }
}

async function* inputBytes(): AsyncGenerator<Uint8Array> {
  try {
    yield* Bun.stdin.stream()
  } catch (error) {
    throw unreadable(error)
  }
}

async function readInput(): Promise<string> {
  return await readText(inputBytes())
}

/**
 * The text of a stream.
 * @throws UsageError as soon as it is longer than a server takes: a model's file may have been piped in by mistake
 */
export async function readText(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const most = BODY_BYTES.generation
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > most) {
      throw new UsageError(
        `the input is larger than ${most / 1024 ** 2} MB, which is more than any model accepts`,
      )
    }
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks, length))
}

function unreadable(error: unknown): FileFailed {
  return new FileFailed("read", "standard input", error)
}
