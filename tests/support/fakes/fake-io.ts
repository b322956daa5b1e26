import type { Io } from "../../../src/cli/terminal/io"
import type { Environment } from "../../../src/config/environment"

export interface FakeIo extends Io {
  readonly out: string
  readonly err: string
  /** The bytes written. */
  readonly bytes: Uint8Array
  /** Closes the output, as `| head` does when it has enough. */
  closeOutput(): void
}

export interface FakeIoOptions {
  /** Piped input; absent: stdin is a terminal. */
  readonly input?: string
  readonly isTerminal?: boolean
  readonly environment?: Environment
  /** The terminal's width. */
  readonly columns?: number
}

/** Streams that record their output. */
export function fakeIo({ input, isTerminal = false, environment = {}, columns }: FakeIoOptions = {}): FakeIo {
  let out = ""
  let err = ""
  const chunks: Uint8Array[] = []
  const closed = new AbortController()
  return {
    environment,
    columns,
    stdinIsTerminal: input === undefined,
    stdoutIsTerminal: isTerminal,
    stderrIsTerminal: isTerminal,
    outputClosed: closed.signal,
    write: (text) => void (out += text),
    writeError: (text) => void (err += text),
    writeBytes: (bytes) => void chunks.push(bytes),
    inputBytes: () => new Blob([input ?? ""]).stream(),
    readInput: () => Promise.resolve(input ?? ""),
    closeOutput: () => closed.abort(),
    get out() {
      return out
    },
    get bytes() {
      return Buffer.concat(chunks)
    },
    get err() {
      return err
    },
  }
}
