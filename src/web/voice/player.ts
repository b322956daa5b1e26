/** Plays raw samples as they come, one piece exactly after the other. */
export class SamplePlayer {
  #context: AudioContext | undefined
  #at = 0
  #isStopped = false
  readonly #playing = new Set<AudioBufferSourceNode>()

  /**
   * Plays 16-bit samples, and resolves when all of them are scheduled. The context has the rate of the voice: at another
   * each piece would be resampled alone, which is heard.
   */
  async play(body: ReadableStream<Uint8Array>, sampleRate: number): Promise<void> {
    const context = await this.#contextOf(sampleRate)
    const reader = body.getReader()
    let odd: number | undefined
    for (;;) {
      const { value, done } = await reader.read()
      if (done || this.#isStopped) break
      // A piece may end in the middle of a sample.
      const bytes = odd === undefined ? value : Uint8Array.of(odd, ...value)
      odd = bytes.length % 2 === 1 ? bytes.at(-1) : undefined
      this.#schedule(context, bytes)
    }
    if (this.#isStopped) await reader.cancel().catch(() => {})
  }

  /** Seconds of sound that are still to be heard. */
  get ahead(): number {
    return this.#context === undefined ? 0 : Math.max(0, this.#at - this.#context.currentTime)
  }

  stop(): void {
    this.#isStopped = true
    for (const source of this.#playing) source.stop()
    void this.#context?.close()
    this.#context = undefined
  }

  async #contextOf(sampleRate: number): Promise<AudioContext> {
    if (this.#context?.sampleRate !== sampleRate) {
      void this.#context?.close()
      this.#context = new AudioContext({ sampleRate })
      this.#at = 0
    }
    if (this.#context.state === "suspended") await this.#context.resume()
    return this.#context
  }

  #schedule(context: AudioContext, bytes: Uint8Array): void {
    const count = Math.floor(bytes.length / 2)
    if (count === 0) return
    const view = new DataView(bytes.buffer, bytes.byteOffset, count * 2)
    const buffer = context.createBuffer(1, count, context.sampleRate)
    const samples = buffer.getChannelData(0)
    for (let index = 0; index < count; index++) samples[index] = view.getInt16(index * 2, true) / 32_768
    const source = context.createBufferSource()
    source.buffer = buffer
    source.connect(context.destination)
    this.#at = Math.max(this.#at, context.currentTime + 0.02)
    source.start(this.#at)
    this.#at += buffer.duration
    this.#playing.add(source)
    source.onended = () => this.#playing.delete(source)
  }
}
