import { join } from "node:path"

/** A server in a process of its own that watches its event loop: see watched-server.ts. */
export class WatchedServer {
  readonly #child: Bun.Subprocess
  readonly url: string
  readonly #hear: () => Promise<unknown>

  private constructor(child: Bun.Subprocess, url: string, hear: () => Promise<unknown>) {
    this.#child = child
    this.url = url
    this.#hear = hear
  }

  /** Serves the models of a folder. */
  static async start(folder: string): Promise<WatchedServer> {
    /** Who waits for what the server says next. */
    let heard: (message: unknown) => void = () => {}
    const hear = () => new Promise<unknown>((resolve) => (heard = resolve))
    const first = hear()
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "watched-server.ts"), folder], {
      ipc: (message) => heard(message),
      stderr: "ignore",
    })
    return new WatchedServer(child, String(await first), hear)
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    })
  }

  /** CPU time that was spent at most without a turn of the loop, since this was asked last. */
  async busiestMs(): Promise<number> {
    const answer = this.#hear()
    this.#child.send("read")
    return Number(await answer)
  }

  async stop(): Promise<void> {
    this.#child.disconnect()
    await this.#child.exited
  }
}
