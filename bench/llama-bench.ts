import { BenchFailure } from "./failure"
import type { Sample } from "./statistics"

const TOKENS = 160

/**
 * Generation speed of the library without a server: the upper bound set by the kernels.
 * @throws BenchFailure with the program's last output
 */
export async function runLlamaBench(
  program: string,
  model: string,
  threads: number,
  signal: AbortSignal,
): Promise<Sample> {
  const flags = ["-p", "0", "-n", String(TOKENS), "-t", String(threads), "-r", "1", "-o", "json"]
  const child = Bun.spawn([program, "-m", model, ...flags], {
    stdin: "ignore",
    stderr: "pipe",
    signal,
    killSignal: "SIGKILL",
  })
  const [output, complaints] = await Promise.all([child.stdout.text(), child.stderr.text()])
  if ((await child.exited) !== 0) throw new BenchFailure(`llama-bench failed: ${complaints.slice(-300)}`)
  // The program's output format: one entry per test, with the mean rate in avg_ts.
  const [result] = JSON.parse(output) as readonly { avg_ts?: number }[]
  if (result?.avg_ts === undefined) throw new BenchFailure("llama-bench printed no avg_ts")
  return { tokensPerSecond: result.avg_ts }
}
