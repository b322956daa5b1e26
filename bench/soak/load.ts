export interface Counts {
  finished: number
  cancelled: number
  failed: number
}

const WORDS = "one two three rivers stones paper light green house seven music cloud".split(" ")

/** Clients that each send one request after another, with slight variations, until stopped. */
export class Load {
  readonly counts: Counts = { finished: 0, cancelled: 0, failed: 0 }
  /** Number of occurrences by failure. */
  readonly failures = new Map<string, number>()
  readonly #url: string
  readonly #models: readonly string[]
  readonly #clients: number
  #stopped = false
  #running: Promise<void>[] = []

  constructor(url: string, models: readonly string[], clients: number) {
    this.#url = url
    this.#models = models
    this.#clients = clients
  }

  start(): void {
    this.#running = Array.from({ length: this.#clients }, () => this.#client())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #client(): Promise<void> {
    while (!this.#stopped) await this.#request()
  }

  async #request(): Promise<void> {
    const client = new AbortController()
    const cancels = Math.random() < 0.2
    const timer = cancels ? setTimeout(() => client.abort(), Math.random() * 500) : undefined
    try {
      const code = await this.#send(client.signal)
      if (code === undefined) this.counts.finished++
      else this.#fail(code)
    } catch (error) {
      if (client.signal.aborted) this.counts.cancelled++
      else this.#fail(String(error))
    } finally {
      clearTimeout(timer)
    }
  }

  /** Returns the error code that the server sent, if any. */
  async #send(signal: AbortSignal): Promise<string | undefined> {
    const response = await fetch(`${this.#url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: pick(this.#models),
        messages: [{ role: "user", content: words(5 + Math.random() * 200) }],
        max_tokens: 1 + Math.floor(Math.random() * 64),
        stream: Math.random() < 0.7,
        n: Math.random() < 0.1 ? 3 : 1,
      }),
      signal,
    })
    const text = await response.text()
    return /"code":"([a-z_]+)"/.exec(text)?.[1]
  }

  #fail(reason: string): void {
    this.counts.failed++
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
  }
}

function pick<T>(values: readonly T[]): T | undefined {
  return values[Math.floor(Math.random() * values.length)]
}

function words(count: number): string {
  return Array.from({ length: count }, () => pick(WORDS)).join(" ")
}
