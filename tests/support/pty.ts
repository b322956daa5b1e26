import { join } from "node:path"

const ROOT = join(import.meta.dir, "../..")

/** The program on a pseudo-terminal. */
export interface Session extends AsyncDisposable {
  type(keys: string): void
  /** Waits until `text` appears, and resolves with all output since the last call. */
  see(text: string): Promise<string>
  readonly exited: Promise<number>
  kill(signal: NodeJS.Signals): void
  /** Closes the terminal, as if its window were closed. */
  hangUp(): void
}

export interface SessionOptions {
  readonly argv: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** The program to run; absent: the sources. */
  readonly program?: readonly string[]
  readonly cwd?: string
  /** The terminal's width; default: 100. */
  readonly columns?: number
}

const SOURCES = [process.execPath, join(ROOT, "src/index.ts")]

/** Starts the program on a terminal. */
export function startSession(options: SessionOptions): Session {
  const { argv, environment = {}, program = SOURCES, cwd = process.cwd(), columns = 100 } = options
  let seen = ""
  let look = () => {}
  const decoder = new TextDecoder()
  const child = Bun.spawn([...program, ...argv], {
    cwd,
    env: { TERM: "xterm", ...environment },
    terminal: {
      cols: columns,
      rows: 30,
      data(_terminal, bytes) {
        seen += decoder.decode(bytes, { stream: true })
        look()
      },
    },
  })
  return {
    type: (keys) => void child.terminal?.write(keys),
    see: (text) =>
      new Promise((resolve, reject) => {
        look = () => {
          const at = seen.indexOf(text)
          if (at === -1) return
          look = () => {}
          const shown = seen.slice(0, at + text.length)
          seen = seen.slice(at + text.length)
          resolve(shown)
        }
        void child.exited.then((code) =>
          reject(new Error(`ended with ${code} before '${text}' was seen: ${seen}`)),
        )
        look()
      }),
    exited: child.exited,
    kill: (signal) => child.kill(signal),
    hangUp: () => child.terminal?.close(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
      child.terminal?.close()
    },
  }
}
