import { UsageError } from "../errors/cli"

/**
 * `xllm worker KIND`: internal, started by the engine. Ctrl-C reaches all processes of the terminal's foreground
 * group; the worker ignores it and leaves the decision to its parent.
 */
export async function command([kind, ...rest]: readonly string[]): Promise<void> {
  process.on("SIGINT", () => {})
  if (kind === undefined) throw new UsageError("worker needs a KIND")
  const { startWorker } = await import("../worker/start")
  await startWorker(kind, rest)
}
