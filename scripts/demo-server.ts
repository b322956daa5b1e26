/** A server of ours on a free port; stopped at the end of the scope (`await using`). */
export interface DemoServer extends AsyncDisposable {
  readonly url: string
}

/** Starts `serve` and waits until it prints its address. @throws Error with its output if it ends before that */
export async function startDemoServer(binary: string, model: string): Promise<DemoServer> {
  const child = Bun.spawn([binary, "serve", model, "--host", "127.0.0.1", "--port", "0"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const output: string[] = []
  const { promise, resolve } = Promise.withResolvers<string>()
  const readers = [child.stdout, child.stderr].map(async (stream) => {
    const decoder = new TextDecoder()
    for await (const bytes of stream) {
      output.push(decoder.decode(bytes, { stream: true }))
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(output.join(""))?.[0]
      if (address) resolve(address)
    }
  })
  const ended = Promise.all(readers).then(() => undefined)
  const url = await Promise.race([promise, ended])
  if (url === undefined) throw new Error(`the server ended with ${await child.exited}:\n${output.join("")}`)
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await child.exited
    },
  }
}
