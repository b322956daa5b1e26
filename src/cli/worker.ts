import { UsageError } from "../errors/cli"

/**
 * `xllm worker KIND`: what the engine starts as its children. Not for people.
 * Ctrl-C reaches every process of a terminal's foreground group; the parent decides what it means for a worker.
 */
export async function command([kind, ...rest]: readonly string[]): Promise<void> {
  process.on("SIGINT", () => {})
  if (kind === undefined) throw new UsageError("worker needs a KIND")
  const { startWorker } = await import("../worker/start")
  await startWorker(kind, rest)
}
