/**
 * Keeps one core busy until disposed. A shell does the work, and ends by itself within a moment if this process dies
 * without disposing.
 */
export class BusyCore implements AsyncDisposable {
  readonly #child: Bun.Subprocess

  constructor() {
    const spin = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    this.#child = Bun.spawn(["sh", "-c", `while kill -0 ${process.pid} 2>/dev/null; do ${spin}; done`], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL")
    await this.#child.exited
  }
}
