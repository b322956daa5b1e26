import { signal } from "@preact/signals"
import { request } from "../api/client"
import { toastError } from "../ui/toasts"
import { SamplePlayer } from "./player"
import { SentenceCutter } from "./sentences"
import { voiceInUse } from "./voices"

/** So many sentences are asked for before they are heard. */
const AHEAD = 2

/** The message that is read aloud. */
export const readMessage = signal<string | undefined>(undefined)

let current: Reader | undefined

/** Reads a message aloud; text can still be added. Another one that is being read is stopped. */
export function beginReading(message: string): Reader {
  stopReading()
  current = new Reader()
  readMessage.value = message
  return current
}

export function stopReading(): void {
  current?.stop()
  current = undefined
  readMessage.value = undefined
}

class Reader {
  readonly #cutter = new SentenceCutter()
  readonly #player = new SamplePlayer()
  readonly #client = new AbortController()
  readonly #sentences: string[] = []
  readonly #requested: Promise<Response>[] = []
  #isEnded = false
  #isRunning = false

  add(text: string): void {
    this.#sentences.push(...this.#cutter.add(text))
    void this.#run()
  }

  end(): void {
    this.#sentences.push(...this.#cutter.end())
    this.#isEnded = true
    void this.#run()
  }

  stop(): void {
    this.#isEnded = true
    this.#sentences.length = 0
    this.#client.abort()
    this.#player.stop()
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    const { signal } = this.#client
    try {
      for (this.#request(); this.#requested.length > 0; this.#request()) {
        const response = await this.#requested.shift()
        this.#request()
        const rate = Number(response?.headers.get("x-sample-rate") ?? 24_000)
        if (response?.body != null) await this.#player.play(response.body, rate)
      }
    } catch (error) {
      if (!signal.aborted) toastError(error)
      this.stop()
    }
    this.#isRunning = false
    if (!this.#isEnded || this.#sentences.length > 0) return
    setTimeout(() => {
      if (current === this) stopReading()
    }, this.#player.ahead * 1000)
  }

  #request(): void {
    const voice = voiceInUse.peek()
    while (this.#requested.length < AHEAD && voice !== undefined) {
      const input = this.#sentences.shift()
      if (input === undefined) return
      const body = { model: voice.model, voice: voice.id, input, response_format: "pcm" }
      const asked = request("/v1/audio/speech", { method: "POST", body, signal: this.#client.signal })
      // It is looked at when its turn comes.
      asked.catch(() => {})
      this.#requested.push(asked)
    }
  }
}
