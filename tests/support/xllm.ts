import { join } from "node:path"

const ROOT = join(import.meta.dir, "../..")

export interface XllmOptions {
  /** The program's only environment variables. */
  readonly environment?: Readonly<Record<string, string>>
  /** Piped input; absent: none. */
  readonly input?: string
}

export interface XllmResult {
  readonly out: string
  readonly err: string
  readonly code: number
}

/** Starts the program from its sources as a separate process. */
export function spawnXllm(argv: readonly string[], { environment = {}, input = "" }: XllmOptions = {}) {
  return Bun.spawn([process.execPath, join(ROOT, "src/index.ts"), ...argv], {
    env: environment,
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  })
}

/** Runs the program to its end. */
export async function runXllm(argv: readonly string[], options?: XllmOptions): Promise<XllmResult> {
  const child = spawnXllm(argv, options)
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { out, err, code }
}
