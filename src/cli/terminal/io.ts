import { type Environment, processEnvironment } from "../../config/environment"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { BODY_BYTES } from "../../limits"
import { failureText } from "./failure"

/** The streams and environment variables of a command. */
export interface Io {
  readonly environment: Environment
  /** Interactive: redrawing and escape codes make sense. */
  readonly stdinIsTerminal: boolean
  readonly stdoutIsTerminal: boolean
  /** False for one without cursor control (TERM=dumb), where temporary output would stay. */
  readonly stderrIsTerminal: boolean
  /** The width of the output terminal; absent: none, or one without cursor control. */
  readonly columns: number | undefined
  /** Resolves when more can be written; immediately for fast streams. */
  write(text: string): void
  writeError(text: string): void
  /** Like {@link write}, for binary data. */
  writeBytes(bytes: Uint8Array): void
  /** The whole input. @throws FileFailed */
  readInput(): Promise<string>
  /** The input's chunks as they arrive. @throws FileFailed */
  inputBytes(): AsyncIterable<Uint8Array>
  /** Aborted when the reader of stdout has closed it (`| head`): continue quietly, or stop. */
  readonly outputClosed: AbortSignal
}

/** The errors of writing to a closed pipe or terminal. */
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
  // The error cannot be reported anywhere.
  process.stderr.on("error", () => {})
  return {
    environment,
    stdinIsTerminal: process.stdin.isTTY === true,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true && environment["TERM"] !== "dumb",
    get columns() {
      if (environment["TERM"] === "dumb") return undefined
      return widthOf([process.stdout, process.stderr])
    },
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    writeBytes: (bytes) => void process.stdout.write(bytes),
    inputBytes,
    readInput,
    outputClosed: closed.signal,
  }
}

/**
 * The width of the first terminal among `streams`. Some terminals, such as those of containers and CI, report 0: they
 * do not know it.
 */
export function widthOf(
  streams: readonly { readonly isTTY?: boolean; readonly columns?: number }[],
): number | undefined {
  const terminal = streams.find(({ isTTY }) => isTTY)
  return terminal && (terminal.columns || 80)
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
 * Reads a stream as text.
 * @throws UsageError as soon as it exceeds what a server accepts: a model file may have been piped in by mistake
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
