import { BenchFailure } from "./failure"

/** Enough for a cold model file on a slow disk. */
const START_TIMEOUT_MS = 180_000
/** How long a server may take to stop before it is killed. */
const STOP_TIMEOUT_MS = 5_000

export interface ServerCommand {
  /** The caller adds the arguments that make it listen on 127.0.0.1 and the given port. */
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly port: number
  /** Responds with 200 once the server accepts requests. */
  readonly healthPath: string
  /** Receives the server's output. */
  readonly logFile: string
}

/** Servers that have not ended yet; {@link killAllServers} is for an exit that skips `finally`. */
const running = new Set<Bun.Subprocess>()

/** Kills all remaining servers at once. Only for use right before the process exits. */
export function killAllServers(): void {
  for (const child of running) child.kill("SIGKILL")
}

/** A server started by this program; disposing it ends it. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string
  /** Milliseconds from the spawn to the first 200 of the health path. */
  readonly startMs: number
  readonly #child: Bun.Subprocess

  private constructor(child: Bun.Subprocess, url: string, startMs: number) {
    this.#child = child
    this.url = url
    this.startMs = startMs
  }

  /** @throws BenchFailure with the last lines of its log if it ends or does not respond */
  static async start(server: ServerCommand, signal: AbortSignal): Promise<ServerProcess> {
    const spawnedAt = performance.now()
    const log = Bun.file(server.logFile)
    const child = Bun.spawn([...server.command], {
      env: { ...process.env, ...server.env },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    })
    running.add(child)
    void child.exited.then(() => running.delete(child))
    const url = `http://127.0.0.1:${server.port}`
    try {
      await waitForHealth(url + server.healthPath, child, signal)
      return new ServerProcess(child, url, performance.now() - spawnedAt)
    } catch (error) {
      await stop(child)
      if (signal.aborted) throw error
      const lines = (await log.text()).trim().split("\n").slice(-5)
      throw new BenchFailure(`${server.command.join(" ")} did not start: ${lines.join("\n")}`, {
        cause: error,
      })
    }
  }

  get pid(): number {
    return this.#child.pid
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stop(this.#child)
  }
}

/** A free port of the loopback interface. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  listener.stop(true)
  return listener.port
}

async function waitForHealth(url: string, child: Bun.Subprocess, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    signal.throwIfAborted()
    if (child.exitCode !== null || child.signalCode !== null) throw new BenchFailure("it ended by itself")
    if (await answersOk(url, signal)) return
    // Short, because the start-up time is also measured by this loop.
    await Bun.sleep(1)
  }
  throw new BenchFailure(`no 200 from ${url} within ${START_TIMEOUT_MS / 1000} s`)
}

async function answersOk(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    // Not listening yet; the caller also checks whether the server still runs.
    return false
  }
}

async function stop(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
  await child.exited
  clearTimeout(timer)
}
